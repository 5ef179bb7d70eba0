"""Checking the evidence log against itself, its signed heads and its anchors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from opsctl.evidence import signing
from opsctl.evidence.anchoring import Anchor
from opsctl.evidence.chain import Finding, Link, against, examine, links
from opsctl.evidence.head import Head
from opsctl.evidence.kept import forks
from opsctl.evidence.log import Log, log, raw_lines
from opsctl.evidence.results import AnchorState, Checked, SignatureState
from opsctl.model.value import Value


def check(
    evidence: Log | None = None,
    *,
    anchor: Sequence[Head] | None = None,
    where: str = "",
    kept: Sequence[Head] = (),
    signers: Path | None = None,
) -> Checked:
    """Return whether the log is whole, and by what that is known.

    `anchor` are the heads that a store holds (from `anchored`), None where none was asked;
    `where` names that store. `kept` are the heads that the environment keeps. `signers` is an
    allowed-signers file to trust; without it the keys count that signed here before, which
    whoever can write the log can add to.
    """
    evidence = evidence or log()
    chain = links(raw_lines(evidence.lines))
    heads = _parsed(evidence.heads, Head)
    notes_of_anchors = _parsed(evidence.anchors, Anchor)
    known = {evidence.id(), *(head.log for head in heads), *(a.log for a in notes_of_anchors)}
    ours = None if anchor is None else [head for head in anchor if head.log in known]
    findings = examine(chain)
    findings += against(chain, heads, "the local head")
    findings += against(chain, ours or (), f"the anchor in {where or 'the store'}")
    findings += forks(kept, "the head that the environment keeps", evidence)
    signature, bad = _signature((*heads, *(ours or ())), signers or evidence.signers)
    findings += bad
    findings = _once(findings)
    return Checked(
        log=str(evidence.lines),
        lines=len(chain),
        head=chain[-1].hash if chain else "",
        verdict="failed" if findings else "passed",
        findings=tuple(findings),
        signature=signature,
        anchor=_anchor(ours, where, notes_of_anchors),
        notes=(
            *_notes(evidence, chain, heads, signature, ours),
            *_others(anchor or (), known),
        ),
    )


T = TypeVar("T", bound=Value)


def _parsed(path: Path, kind: type[T]) -> tuple[T, ...]:
    """Return the values that the lines of a file hold; what is none proves nothing."""
    found: list[T] = []
    for raw in raw_lines(path):
        try:
            found.append(kind.model_validate_json(raw))
        except ValueError:
            continue
    return tuple(found)


def _signature(heads: Sequence[Head], signers: Path) -> tuple[SignatureState, tuple[Finding, ...]]:
    """Return the state of the newest signature; the chain covers every line before it."""
    signed = [head for head in heads if head.signature]
    if not signed:
        why = heads[-1].unsigned if heads else "there is no head"
        return SignatureState(state="none", index=None, signer="", detail=why), ()
    newest = max(signed, key=lambda head: head.index)
    why_not = signing.refusal(newest.signed_bytes, newest.signature, signers)
    if why_not is None:
        return (
            SignatureState(state="good", index=newest.index, signer=newest.signer, detail=""),
            (),
        )
    detail = f"the signature of the head at line {newest.index} is not good: {why_not}"
    state = SignatureState(state="bad", index=newest.index, signer=newest.signer, detail=why_not)
    return state, (Finding(kind="bad signature", line=newest.index, detail=detail),)


def _anchor(heads: Sequence[Head] | None, where: str, noted: Sequence[Anchor]) -> AnchorState:
    if heads:
        newest_index = max(head.index for head in heads)
        return AnchorState(state="compared", index=newest_index, where=where, detail="")
    if heads is not None:
        return AnchorState(
            state="none", index=None, where=where, detail="the store holds no head of this log"
        )
    if not noted:
        return AnchorState(state="none", index=None, where="", detail="no head was ever anchored")
    newest = max(noted, key=lambda note: (note.index, note.at))
    return AnchorState(
        state="not asked",
        index=newest.index,
        where=f"{newest.endpoint}/{newest.bucket}",
        detail=f"line {newest.index} was anchored there",
    )


def _others(anchor: Sequence[Head], known: Collection[str | None]) -> Iterable[str]:
    for foreign in sorted({head.log for head in anchor} - set(known)):
        count = sum(head.log == foreign for head in anchor)
        yield (
            f"the store holds {count} heads of a log {foreign[:12]} that is unknown here: "
            "another operator's, or this one before it was replaced as a whole"
        )


def _notes(
    evidence: Log,
    chain: Sequence[Link],
    heads: Sequence[Head],
    signature: SignatureState,
    anchor: Sequence[Head] | None,
) -> Iterable[str]:
    if not chain:
        if not heads:
            yield "nothing is recorded yet"
        return
    end = chain[-1].index
    if signature.state == "none":
        yield (
            "the head is not signed, so whoever can write the log can write it anew: "
            f"{signature.detail}"
        )
    elif signature.index is not None and signature.index < end:
        yield f"the lines after line {signature.index} are not signed"
    if not anchor:
        yield "no anchor was compared, so a tail that was cut with its heads stays unseen"
    elif (last := max(head.index for head in anchor)) < end:
        yield f"the lines after line {last} are not anchored"
    if heads and heads[-1].index < end:
        yield f"line {end} has no head: the command was killed while it wrote it"
    content = evidence.lines.read_bytes()
    if not content.endswith(b"\n"):
        yield "the last line is torn: a crash cut it short, and the next command removes it"


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, the first of each kind for each line, in the order of the lines."""
    first: dict[tuple[str, int | None], Finding] = {}
    for finding in findings:
        first.setdefault((finding.kind, finding.line), finding)
    return sorted(first.values(), key=lambda finding: (finding.line or 0, finding.kind))
