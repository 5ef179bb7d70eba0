"""What the guardrails say of an update, for people."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table

from opsctl.infra.guardrails import Finding, Judged, Severity


def rendered(judged: Judged) -> Table | Group | str:
    """Return a table of findings, the worst first, and what the whole comes to."""
    said = _said(judged)
    if not judged.findings:
        return said
    shown = Table("rule", "verdict", "resource", "what", "to comply")
    for one in sorted(judged.findings, key=_order):
        shown.add_row(one.rule, _word(one), one.resource, one.problem, _next(one))
    return Group(shown, said)


def _order(one: Finding) -> tuple[bool, bool, str, str]:
    return not one.stands, one.unknown, one.rule, one.resource


def _word(one: Finding) -> str:
    if one.waived:
        return "waived"
    if one.unknown:
        return "unknown"
    return "refused" if one.severity is Severity.REFUSE else "warning"


def _next(one: Finding) -> str:
    if one.waived:
        return f"{one.waived.owner}, until {one.waived.expires}: {one.waived.reason}"
    return one.comply


def _said(judged: Judged) -> str:
    words = [_word(one) for one in judged.findings]
    counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words))]
    found = ", ".join(counts) or "nothing found"
    cost = judged.cost
    least = "at least " if cost.unpriced else "about "
    return (
        f"{judged.environment}: {judged.rules} guardrails, {found}; "
        f"{least}${cost.usd_year:,.0f} a year by list prices of {cost.as_of} in {cost.region}, "
        "without what depends on use"
    )
