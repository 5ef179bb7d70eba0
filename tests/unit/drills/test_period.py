from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from opsctl.drills.period import period, since
from opsctl.drills.scenario import load
from opsctl.errors import UsageError
from opsctl.evidence.line import Line
from tests.unit.drills.test_outcome import drilled

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "began"),
    [
        ("12m", datetime(2025, 3, 31, 12, tzinfo=UTC)),
        ("1y", datetime(2025, 3, 31, 12, tzinfo=UTC)),
        ("1m", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("30d", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 17, 12, tzinfo=UTC)),
    ],
)
def test_a_period_begins_by_the_calendar(span: str, began: datetime) -> None:
    assert since(span, NOW) == began


@pytest.mark.parametrize("span", ["", "12", "m", "0m", "-1d", "1.5y", "12 m", "9999y"])
def test_what_is_no_span_is_refused(span: str) -> None:
    with pytest.raises(UsageError):
        since(span, NOW)


def line(result: dict[str, Any], at: datetime, scenario: str = "leader-kill") -> Line:
    return Line(
        run="r",
        at=at,
        duration_s=1.0,
        user="u",
        host="h",
        opsctl="0.1.0",
        command="drill",
        environment="intraday",
        identity=None,
        arguments={"scenario": scenario},
        outcome="done",
        exit_code=0,
        message="",
        result=result,
        folder="",
        index=0,
        previous="",
        hash="",
    )


def test_the_worst_of_the_runs_counts_and_only_those_of_the_period() -> None:
    def run(at: datetime, **measured: Any) -> Line:
        found = drilled(measured.pop("verdict", "passed"), **measured)
        return line(found.model_dump(mode="json", exclude={"timeline"}), at)

    began = datetime(2025, 3, 31, tzinfo=UTC)
    found = period(
        [
            run(datetime(2025, 3, 30, tzinfo=UTC), rto_ms=999.0),
            run(datetime(2025, 6, 1, tzinfo=UTC), rto_ms=40.0),
            run(datetime(2026, 1, 1, tzinfo=UTC), rto_ms=70.0, orders_lost=2, verdict="failed"),
            line({"found_by": "another"}, datetime(2026, 2, 1, tzinfo=UTC), "site-loss"),
        ],
        [load("leader-kill"), load("site-loss")],
        began=began,
        until=NOW,
        environment="intraday",
    )
    kill, loss = found.tested
    assert (kill.runs, kill.worst_rto_ms, kill.orders_lost) == (2, 70.0, 2)
    assert kill.verdicts == {"failed": 1, "passed": 1}
    assert not kill.met, "a run has failed"
    assert (loss.verdicts, loss.worst_rto_ms, loss.met) == ({"interrupted": 1}, None, False)
    assert found.untested == ("site-loss",)
