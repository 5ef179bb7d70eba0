"""What of a server is not as it is to be, in the words that a plan shows; pure.

The declaration says that nothing differs: `drift` is empty. A reading fills it, one entry for
each thing that differs, so that a preview names it with what is there and what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable

from opsctl.model.profile.profile import Finding, Verdict
from opsctl.provision.failing import Failure

REACHED, CLAIM, MACHINE = "reached", "claim", "machine"
"""Entries that are no setting: whether it could be read, whose it is, which machine it is."""
LONGEST = 60

Drift = dict[str, str]


def of_findings(findings: Iterable[Finding]) -> Drift:
    """Return the settings that do not hold: `1 (wanted 0)`."""
    return {one.setting: _said(one) for one in findings if one.verdict in _WORDS}


def of_failure(failure: Failure) -> Drift:
    """Return that a server could not be read: what it holds is unknown."""
    return {REACHED: f"unknown: {failure.message}"}


def of_owner(found: str, wanted: str) -> Drift:
    """Return whose a server is, where it is not ours."""
    if found == wanted:
        return {}
    return {CLAIM: f"held by {found}" if found else "nobody's: given back, or installed anew"}


def of_machine(found: str, wanted: str) -> Drift:
    """Return which machine it is, where it is not the one that was provisioned."""
    if not wanted or found == wanted:
        return {}
    return {MACHINE: f"{found} (was {wanted}): installed anew, or another machine"}


_WORDS = {
    Verdict.DRIFTED: "{got} (wanted {want})",
    Verdict.REBOOT: "{got} (wanted {want}, after a reboot)",
    Verdict.UNREADABLE: "unknown: {detail} (wanted {want})",
}


def _said(one: Finding) -> str:
    return _WORDS[one.verdict].format(
        got=_brief(one.got) or "none", want=_brief(one.want), detail=_brief(one.detail)
    )


def _brief(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    cut = first if len(first) <= LONGEST else f"{first[:LONGEST]}…"
    return cut if len(lines) < 2 else f"{cut} … {len(lines) - 1} more lines"
