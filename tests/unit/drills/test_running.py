from __future__ import annotations

from pathlib import Path

from opsctl.drills.outcome import Measured
from opsctl.drills.running import Run
from opsctl.drills.scenario import load
from tests.unit.deploy.fake import FakeHost, FakeTarget, environment


def test_a_drill_on_one_site_is_blocked_and_says_what_the_environment_lacks(tmp_path: Path) -> None:
    heard: list[str] = []
    run = Run(
        environment(),
        FakeTarget(FakeHost(tmp_path)),
        load("leader-kill"),
        heard.append,
        move=lambda to: None,
        folder=tmp_path,
        id="20261129T120000000Z-000000",
    )
    found = run.whole()
    assert (found.verdict, found.measured) == ("blocked", Measured())
    assert found.findings == (
        "daily has one site: nothing can take over; trading:dr: hot gives it a second one",
    )
    assert Path(found.report).read_text().startswith("# Drill leader-kill on daily: blocked")
    assert heard == ["looking for a steady state"]
