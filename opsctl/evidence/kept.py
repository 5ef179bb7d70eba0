"""Heads of the evidence that lie with an environment: what each machine's log had come to.

Each machine has a log of its own. The environment keeps the newest head of every log that told
of it, so that a log whose tail was cut off is found, and one that forked: two machines that both
went on from copies of one log, a restored or a cloned disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from opsctl.evidence.chain import Finding, links
from opsctl.evidence.head import Head
from opsctl.evidence.log import Log, log, raw_lines
from opsctl.model.value import Value

FILE = "evidence.json"


class Heads(Value):
    """The file."""

    heads: tuple[Head, ...] = ()


def kept(folder: Path) -> tuple[Head, ...]:
    """Return the heads that an environment's folder holds; what is no file of them has none."""
    try:
        return Heads.model_validate_json((folder / FILE).read_bytes()).heads
    except (OSError, ValueError):
        return ()


def noted(heads: Iterable[Head], evidence: Log | None = None) -> str:
    """Return the file's content with the head that this machine's log has now.

    The former heads of this log that it still holds give way to it. Those of other logs stay,
    and those that it contradicts: they are the proof of it.
    """
    evidence = evidence or log()
    lines = raw_lines(evidence.heads)
    if not lines:
        return Heads(heads=tuple(heads)).model_dump_json(indent=2)
    newest = Head.model_validate_json(lines[-1])
    held = {link.hash for link in links(raw_lines(evidence.lines))}
    stay = [one for one in heads if one.log != newest.log or one.hash not in held]
    return Heads(heads=(*stay, newest)).model_dump_json(indent=2)


def forks(heads: Iterable[Head], whose: str, evidence: Log | None = None) -> tuple[Finding, ...]:
    """Return where this machine's log is not what heads of it say; `whose` heads, in words."""
    evidence = evidence or log()
    mine = [one for one in heads if one.log == evidence.id()]
    if not mine:
        return ()
    held = {link.index: link.hash for link in links(raw_lines(evidence.lines))}
    end = max(held, default=-1)
    found = []
    for head in sorted(mine, key=lambda one: one.index):
        at = f"{head.at:%Y-%m-%dT%H:%M:%SZ}"
        if head.index > end:
            detail = (
                f"the log ends with line {end}, and {whose} of {at} names line {head.index}: its "
                "tail was cut off, or another machine has gone on with a copy of it"
            )
        elif held.get(head.index) != head.hash:
            detail = (
                f"line {head.index} is not the one that {whose} of {at} names: two machines have "
                "gone on from copies of one log, or it was replaced"
            )
        else:
            continue
        found.append(Finding(kind="forked", line=min(head.index, end + 1), detail=detail))
    return tuple(found)
