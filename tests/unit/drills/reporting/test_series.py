from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.drills import report
from opsctl.drills.outcome import Series, summary, verdict_of
from tests.unit.drills.test_outcome import drilled


@pytest.mark.parametrize("took", [(40.0, 45.0, 61.0), (None,)])
def test_a_series_has_a_report_with_the_distribution(
    tmp_path: Path, took: tuple[float | None, ...]
) -> None:
    runs = tuple(drilled(rto_ms=rto_ms) for rto_ms in took)
    made = Series(
        scenario="leader-kill",
        environment="intraday",
        verdict=verdict_of(runs),
        runs=runs,
        summary=summary(runs),
    )
    found = report.series(made, tmp_path)
    assert found.report == str(tmp_path / "series.md")
    page = (tmp_path / "series.html").read_text()
    measured = [each for each in took if each is not None]
    assert page.count("<circle") == len(measured)
    assert ("No recovery time was measured" in page) == (not measured)
    assert f"{len(took)} runs: passed" in Path(found.report).read_text()
