"""The chain of the evidence log: which lines were changed, taken out, moved or cut off.

Pure: takes the raw lines and the heads that are known of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from opsctl.evidence.head import Head
from opsctl.evidence.line import GENESIS, canonical, digest
from opsctl.model.value import Value

Kind = Literal["changed", "missing", "reordered", "doubled", "cut", "forked", "bad signature"]


class Finding(Value):
    """Something is wrong with a line; lines count from 0, as their `index` does."""

    kind: Kind
    line: int | None
    detail: str


@dataclass(frozen=True)
class Link:
    """A line as it was found: at which place of the file, and what it says of itself."""

    place: int
    index: int
    previous: str
    hash: str
    sound: bool
    """Whether its hash is the hash of what it holds."""


def links(lines: Sequence[bytes]) -> list[Link]:
    """Return what each line says of itself; one that says nothing counts by its place."""
    found: list[Link] = []
    for place, raw in enumerate(lines):
        expected = found[-1].index + 1 if found else 0
        try:
            content = json.loads(raw)
            index, previous, mine = content["index"], content["previous"], content["hash"]
            named = isinstance(index, int) and isinstance(mine, str) and isinstance(previous, str)
            sound = named and canonical(content) == raw and digest(content) == mine
        except (ValueError, KeyError, TypeError, RecursionError):
            sound = False
        if sound:
            found.append(Link(place, index, previous, mine, sound=True))
        else:
            found.append(Link(place, expected, "", "", sound=False))
    return found


def examine(chain: Sequence[Link]) -> list[Finding]:
    """Return what the chain alone tells, the first line first."""
    findings = [
        Finding(
            kind="changed",
            line=link.index,
            detail=f"line {link.index} does not hold what it held when it was written",
        )
        for link in chain
        if not link.sound
    ]
    findings += _order(chain)
    by_index = {link.index: link for link in chain if link.sound}
    for link in chain:
        before = by_index.get(link.index - 1)
        if not link.sound:
            continue
        if link.index == 0 and link.previous != GENESIS:
            findings.append(
                Finding(
                    kind="missing",
                    line=0,
                    detail="line 0 follows another line: the beginning of the log is missing",
                )
            )
        elif before is not None and link.previous != before.hash:
            findings.append(
                Finding(
                    kind="changed",
                    line=before.index,
                    detail=f"line {before.index} was replaced: line {link.index} follows another",
                )
            )
    return sorted(findings, key=lambda finding: finding.line or 0)


def _order(chain: Sequence[Link]) -> Iterable[Finding]:
    """Yield which lines are missing, out of their order, or there twice."""
    present = {link.index for link in chain}
    end = max(present, default=-1)
    for begin, until in _ranges(sorted(set(range(end + 1)) - present)):
        what = f"line {begin} is" if begin == until else f"lines {begin} to {until} are"
        yield Finding(kind="missing", line=begin, detail=f"{what} missing")
    seen: set[int] = set()
    highest = -1
    for link in chain:
        if link.index in seen:
            yield Finding(
                kind="doubled", line=link.index, detail=f"line {link.index} is there twice"
            )
        elif link.index < highest:
            yield Finding(
                kind="reordered",
                line=link.index,
                detail=f"line {link.index} stands behind line {highest}",
            )
        seen.add(link.index)
        highest = max(highest, link.index)


def _ranges(numbers: Sequence[int]) -> Iterable[tuple[int, int]]:
    begin = None
    for at, number in enumerate(numbers):
        begin = number if begin is None else begin
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            yield begin, number
            begin = None


def against(chain: Sequence[Link], heads: Iterable[Head], whose: str) -> list[Finding]:
    """Return where the chain is not what heads of it say; `whose` heads, in words."""
    by_index = {link.index: link for link in chain}
    first = by_index.get(0)
    end = max(by_index, default=-1)
    findings: dict[tuple[str, int], Finding] = {}
    for head in heads:
        link = by_index.get(head.index)
        if head.index > end:
            kind: Kind = "cut"
            line = end + 1
            detail = (
                f"the log ends with line {end}, and {whose} of "
                f"{head.at:%Y-%m-%dT%H:%M:%SZ} names line {head.index}: its tail was cut off"
            )
        elif link is not None and link.sound and link.hash != head.hash:
            kind, line = "changed", head.index
            detail = f"line {head.index} is not the one that {whose} names: it was replaced"
        elif first is not None and first.sound and first.hash != head.log:
            kind, line = "changed", 0
            detail = f"{whose} is of another log: line 0 was replaced"
        else:
            continue
        findings[kind, line] = Finding(kind=kind, line=line, detail=detail)
    return list(findings.values())
