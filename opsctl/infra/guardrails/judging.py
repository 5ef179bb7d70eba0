"""Judging a preview: every rule, what is waived, and what that comes to."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date
from enum import StrEnum

from opsctl.errors import UsageError
from opsctl.infra.guardrails import change
from opsctl.infra.guardrails.catalogue import RULES
from opsctl.infra.guardrails.cost import Estimate, estimate
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.guardrails.waivers import Waiver, refuse, waives
from opsctl.infra.previewed import Preview
from opsctl.model.value import Value


class Verdict(StrEnum):
    """What findings come to."""

    PASSED = "passed"
    """Nothing that a rule refuses; warnings and waivers may be among the findings."""
    UNKNOWN = "unknown"
    """A rule that refuses must know what only the update tells: judge again after it."""
    REFUSED = "refused"


class Waived(Value):
    """By what a finding is waived."""

    reason: str
    owner: str
    expires: date


class Finding(Value):
    """One thing that does not hold, or may not."""

    rule: str
    title: str
    severity: Severity
    resource: str
    """Its name; the environment's where the finding is of the whole."""
    type: str
    """Empty where the finding is of the whole environment."""
    urn: str
    problem: str
    unknown: bool
    """It may hold: what would decide it is known only after the update."""
    comply: str
    waived: Waived | None = None

    @property
    def stands(self) -> bool:
        """Whether it is to be refused or to be known first: it refuses, and is not waived."""
        return self.severity is Severity.REFUSE and self.waived is None


class Judged(Value):
    """What the guardrails say of an update."""

    environment: str
    verdict: Verdict
    rules: int
    """How many were looked at."""
    findings: tuple[Finding, ...]
    cost: Estimate


def judge(preview: Preview, facts: Facts, waivers: Sequence[Waiver] = ()) -> Judged:
    """Return what every rule finds in a preview.

    UsageError: a waiver that cannot stand, or a `--replace-data` that names nothing.
    """
    _named(preview, facts)
    found = [(rule, wrong) for rule in RULES for wrong in rule.check(preview, facts)]
    findings = tuple(_finding(preview, rule, wrong, waivers) for rule, wrong in found)
    used = [any(waives(waiver, one.rule, one.resource) for one in findings) for waiver in waivers]
    refuse(waivers, used, facts.today)
    return Judged(
        environment=preview.environment,
        verdict=_verdict(findings),
        rules=len(RULES),
        findings=findings,
        cost=estimate(preview, facts),
    )


def _finding(preview: Preview, rule: Rule, wrong: Wrong, waivers: Sequence[Waiver]) -> Finding:
    one = wrong.resource
    name = one.name if one else preview.environment
    by = next((each for each in waivers if waives(each, rule.id, name)), None)
    return Finding(
        rule=rule.id,
        title=rule.title,
        severity=rule.severity,
        resource=name,
        type=one.type if one else "",
        urn=one.urn if one else "",
        problem=wrong.problem,
        unknown=wrong.unknown,
        comply=rule.comply,
        waived=Waived(reason=by.reason, owner=by.owner, expires=by.expires) if by else None,
    )


def _verdict(findings: Sequence[Finding]) -> Verdict:
    standing = [one for one in findings if one.stands]
    if any(not one.unknown for one in standing):
        return Verdict.REFUSED
    return Verdict.UNKNOWN if standing else Verdict.PASSED


def _named(preview: Preview, facts: Facts) -> None:
    """Raise UsageError where `--replace-data` names what would neither be replaced nor deleted."""
    going = [one.name for one in change.stateful(preview)]
    for name in facts.replace_data:
        if name not in going:
            near = difflib.get_close_matches(name, going, n=1)
            raise UsageError(
                f"--replace-data {name}: nothing of that name that holds data would be "
                "replaced or deleted",
                hint=f"did you mean --replace-data {near[0]}?" if near else "leave it out",
                details=[f"would go: {', '.join(going)}"] if going else [],
            )
