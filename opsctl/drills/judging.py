"""What a run of a drill comes to, by what was measured and what the accounts say: pure."""

from __future__ import annotations

from collections.abc import Sequence

from opsctl.drills.outcome import Goal, Measured, Verdict
from opsctl.drills.reconciliation import Reconciled

NAMED = 3
"""Disagreements that a finding names; the report has all of them."""


def judge(
    measured: Measured,
    reconciled: Reconciled | None,
    *,
    objective_ms: float,
    goal_ms: float,
    findings: Sequence[str],
    notes: Sequence[str] = (),
    rolled_back: bool,
    interrupted: bool,
) -> tuple[Verdict, Goal, list[str]]:
    """Return the verdict, whether the goal was reached, and every finding.

    A goal that was missed is a finding and no failure, and so is a note; an objective that
    was missed, and every other finding, is one.
    """
    rto_ms = measured.rto_ms
    failed = list(findings)
    if not interrupted and rto_ms is None:
        failed.append("no recovery time could be measured")
    if rto_ms is not None and rto_ms > objective_ms:
        failed.append(f"RTO {rto_ms:g} ms is beyond the objective")
    if reconciled is None or not reconciled.clean:
        failed.append(_disagreement(reconciled))
    goal = Goal(rto_ms=goal_ms, met=None if rto_ms is None else rto_ms <= goal_ms)
    said = list(notes)
    if goal.met is False:
        said.append(f"the goal was missed: {rto_ms:g} ms, goal {goal_ms:g} ms")
    verdict: Verdict = "passed"
    if interrupted:
        verdict = "interrupted"
    elif failed or not rolled_back:
        verdict = "failed"
    return verdict, goal, [*failed, *said]


def _disagreement(reconciled: Reconciled | None) -> str:
    if reconciled is None:
        return "the accounts could not be compared"
    # Positions first: they are few, and what is left of everything else.
    faults = [*reconciled.positions, *reconciled.faults]
    some = list(dict.fromkeys(faults))
    more = f"; and {len(some) - NAMED} more" if len(some) > NAMED else ""
    return f"the accounts do not agree: {'; '.join(some[:NAMED])}{more}"
