from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from opsctl import schemas
from opsctl.drills.outcome import (
    Drilled,
    Goal,
    Measured,
    Moment,
    Objective,
    Series,
    Verdict,
    summary,
    verdict_of,
)
from opsctl.drills.reconciliation import Reconciled


def drilled(verdict: Verdict = "passed", **measured: Any) -> Drilled:
    return Drilled(
        id="20261127T120533083Z-848c74",
        scenario="leader-kill",
        title="The leading execution process is killed",
        environment="intraday",
        verdict=verdict,
        hypothesis="It goes on.",
        parameters={"hold_s": 2.0},
        objective=Objective(rto_s=60),
        goal=Goal(rto_ms=50, met=True),
        measured=Measured(
            **{
                "rto_ms": 40.0,
                "orders_acknowledged": 10,
                "positions_reconciled": True,
                "open_orders_reconciled": True,
            }
            | measured
        ),
        failure_domains="2 sites on 1 host",
        rehearsal="one host",
        timeline=(Moment(at=datetime(2026, 11, 27, tzinfo=UTC), ms=0.0, what="SIGKILL"),),
        reconciliation=Reconciled(orders_acknowledged=10, lost=("d-1-0: not in the journal",)),
        rolled_back=True,
        findings=("the goal was missed",),
    )


PROMISED = {
    "id": ...,
    "scenario": ...,
    "environment": ...,
    "verdict": ...,
    "objective": {"rto_s", "rpo_orders"},
    "goal": {"rto_ms"},
    "measured": {
        "detection_ms",
        "takeover_ms",
        "rto_ms",
        "orders_acknowledged",
        "orders_lost",
        "orders_duplicated",
        "positions_reconciled",
        "open_orders_reconciled",
    },
    "failure_domains": ...,
    "report": ...,
}


def test_the_promised_keys_are_there_and_the_schema_accepts_them() -> None:
    found = json.loads(drilled().model_dump_json())
    for key, inner in PROMISED.items():
        assert key in found
        if isinstance(inner, set):
            assert inner <= found[key].keys()
    jsonschema.validate(found, schemas.schema("drill-run"))


def test_a_series_has_its_runs_and_their_summary() -> None:
    runs = (drilled(), drilled(rto_ms=60.0, orders_lost=1, positions_reconciled=False))
    made = Series(
        scenario="leader-kill",
        environment="intraday",
        verdict=verdict_of(runs),
        runs=runs,
        summary=summary(runs),
    )
    found = json.loads(made.model_dump_json())
    assert found["summary"] == {
        "runs": 2,
        "passed": 2,
        "p50_ms": 40.0,
        "p99_ms": None,
        "max_ms": 60.0,
        "orders_acknowledged": 20,
        "orders_lost": 1,
        "orders_duplicated": 0,
        "unreconciled": 1,
    }
    jsonschema.validate(found, schemas.schema("drill-run"))


@pytest.mark.parametrize(
    ("of", "verdict"),
    [
        (("passed", "passed"), "passed"),
        (("passed", "failed", "interrupted"), "failed"),
        (("passed", "interrupted"), "interrupted"),
        (("blocked",), "blocked"),
    ],
)
def test_a_series_is_as_good_as_its_worst_run(of: tuple[Verdict, ...], verdict: Verdict) -> None:
    assert verdict_of(tuple(drilled(each) for each in of)) == verdict
