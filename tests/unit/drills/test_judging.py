from __future__ import annotations

from typing import Any

import pytest

from opsctl.drills.judging import judge
from opsctl.drills.outcome import Goal, Measured
from opsctl.drills.reconciliation import Reconciled

AGREED = Reconciled(orders_acknowledged=9)


def judged(rto_ms: float | None = 40.0, **changes: Any) -> tuple[str, Goal, list[str]]:
    given: dict[str, Any] = {
        "objective_ms": 60_000.0,
        "goal_ms": 50.0,
        "findings": (),
        "rolled_back": True,
        "interrupted": False,
    }
    reconciled = changes.pop("reconciled", AGREED)
    return judge(Measured(rto_ms=rto_ms), reconciled, **(given | changes))


def test_within_the_goal_nothing_is_to_be_said() -> None:
    assert judged() == ("passed", Goal(rto_ms=50.0, met=True), [])


def test_a_goal_that_was_missed_is_a_finding_and_no_failure() -> None:
    verdict, goal, findings = judged(rto_ms=80.0)
    assert (verdict, goal.met) == ("passed", False)
    assert findings == ["the goal was missed: 80 ms, goal 50 ms"]


def test_a_note_is_a_finding_and_no_failure() -> None:
    assert judged(notes=("epoch 4 began before the fault, at b",))[::2] == (
        "passed",
        ["epoch 4 began before the fault, at b"],
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rto_ms": None}, "no recovery time could be measured"),
        ({"rto_ms": 61_000.0}, "RTO 61000 ms is beyond the objective"),
        ({"reconciled": None}, "the accounts could not be compared"),
        ({"findings": ("nobody took over within 60 s",)}, "nobody took over within 60 s"),
    ],
)
def test_what_fails_a_drill_is_named_first(changes: dict[str, Any], says: str) -> None:
    verdict, _, findings = judged(**changes)
    assert (verdict, findings[0]) == ("failed", says)


def test_a_finding_names_the_positions_that_differ_and_counts_the_rest() -> None:
    held = "the books of a: AAPL 3, by the venue 4"
    lost = tuple(f"d-{n}: acknowledged, not in the journal" for n in range(4))
    found = Reconciled(orders_acknowledged=9, positions=(held,), lost=lost)
    _, _, (finding,) = judged(reconciled=found)
    assert finding == (
        f"the accounts do not agree: {held}; d-0: acknowledged, not in the journal; "
        "d-1: acknowledged, not in the journal; and 2 more"
    )


def test_a_rollback_that_did_not_succeed_fails_a_drill() -> None:
    assert judged(rolled_back=False)[0] == "failed"


def test_an_interrupted_drill_needs_no_figure() -> None:
    assert judged(rto_ms=None, interrupted=True)[::2] == ("interrupted", [])
