"""What `drill list` and `drill run` answer with; the JSON form is a contract."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import RootModel

from opsctl.drills.measurement import percentile
from opsctl.drills.reconciliation import Reconciled
from opsctl.model.faults import Fault
from opsctl.model.value import Value

Verdict = Literal["passed", "failed", "interrupted", "pending", "blocked"]
Recovery = Literal["takeover", "longest-gap", "after-lift"]
"""What the recovery time is: from the former leader's last acceptance by the venue to its
successor's first; the longest time without an acceptance; from the end of the faults to the
first acceptance after it."""


class Listed(Value):
    """One scenario, for a reader who chooses."""

    name: str
    title: str
    goal_ms: float
    parameters: dict[str, bool | float]
    faults: tuple[str, ...] = ()
    """The kind of each fault, in the order in which they strike."""


class ScenarioChecked(Value):
    """A scenario's file, and what is wrong with it."""

    file: str
    faults: tuple[Fault, ...] = ()


class ScenariosChecked(Value):
    """Every scenario that was looked at."""

    scenarios: tuple[ScenarioChecked, ...]


class Scenarios(Value):
    """Every scenario at hand."""

    scenarios: tuple[Listed, ...]


class Objective(Value):
    """What the disaster-recovery tier promises."""

    rto_s: float
    rpo_orders: int = 0


class Goal(Value):
    """Our own figure, and whether it was reached; null where nothing was measured."""

    rto_ms: float
    met: bool | None = None


class Measured(Value):
    """What was measured from outside the platform; null where it could not be.

    `detection_ms`: from the fault to the challenge (or the naming) of a successor;
    `takeover_ms`: from there to the first acceptance by the venue; `rto_ms`: the longest time
    without an acceptance, the fault within; `acknowledgement_gap_ms`: the same of what the
    client was told.
    """

    detection_ms: float | None = None
    takeover_ms: float | None = None
    rto_ms: float | None = None
    acknowledgement_gap_ms: float | None = None
    orders_submitted: int = 0
    orders_acknowledged: int = 0
    orders_lost: int = 0
    orders_duplicated: int = 0
    positions_reconciled: bool | None = None
    open_orders_reconciled: bool | None = None


class Moment(Value):
    """One line of the timeline."""

    at: datetime
    ms: float
    """From the fault; negative before it."""
    what: str


class Drilled(Value):
    """One run of a drill."""

    id: str
    scenario: str
    title: str
    environment: str
    verdict: Verdict
    hypothesis: str
    parameters: dict[str, bool | float]
    objective: Objective
    goal: Goal
    measured: Measured
    failure_domains: str
    rehearsal: str
    leader_before: str = ""
    leader_after: str = ""
    timeline: tuple[Moment, ...] = ()
    reconciliation: Reconciled | None = None
    rolled_back: bool = False
    findings: tuple[str, ...] = ()
    """Why it did not pass, or what a reader should know."""
    report: str = ""
    """The path of the report."""
    evidence: str = ""
    """The SHA-256 of the recorded run's manifest."""


class Summary(Value):
    """The distribution over runs; a percentile only where there are enough of them."""

    runs: int
    passed: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    orders_acknowledged: int
    orders_lost: int
    orders_duplicated: int
    unreconciled: int


class Series(Value):
    """A drill that was repeated."""

    scenario: str
    environment: str
    verdict: Verdict
    runs: tuple[Drilled, ...]
    summary: Summary
    report: str = ""
    """The path of the series' own report; empty for a single run."""


class Result(RootModel[Drilled | Series]):
    """What `drill run` prints: one run, or with `--repeat` all of them and their summary."""


def summary(runs: tuple[Drilled, ...]) -> Summary:
    """Return what runs come to."""
    took = [run.measured.rto_ms for run in runs if run.measured.rto_ms is not None]
    return Summary(
        runs=len(runs),
        passed=sum(run.verdict == "passed" for run in runs),
        p50_ms=percentile(took, 0.5),
        p99_ms=percentile(took, 0.99),
        max_ms=max(took, default=None),
        orders_acknowledged=sum(run.measured.orders_acknowledged for run in runs),
        orders_lost=sum(run.measured.orders_lost for run in runs),
        orders_duplicated=sum(run.measured.orders_duplicated for run in runs),
        unreconciled=sum(
            not (run.measured.positions_reconciled and run.measured.open_orders_reconciled)
            for run in runs
        ),
    )


def verdict_of(runs: tuple[Drilled, ...]) -> Verdict:
    """Return the verdict of a series: the worst of its runs."""
    found = {run.verdict for run in runs}
    order: tuple[Verdict, ...] = ("failed", "interrupted", "blocked", "pending")
    return next((each for each in order if each in found), "passed")
