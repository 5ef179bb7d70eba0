"""A drill that may not begin is blocked, with who or what forbids it, and leaves its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opsctl import evidence
from opsctl.deploy.lock import held
from opsctl.drills import series, underway
from opsctl.drills.outcome import Series
from opsctl.drills.scenario import load
from opsctl.drills.series import drill
from opsctl.drills.underway import Underway
from opsctl.model.environment import Drills
from tests.unit.deploy.fake import FakeHost, FakeTarget, environment


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "state"))


def drilled(tmp_path: Path, **settings: Any) -> Series:
    return drill(
        environment(**settings),
        FakeTarget(FakeHost(tmp_path)),
        load("leader-kill"),
        repeat=3,
        say=lambda _: None,
        move=lambda to, emergency=False: None,
    )


def test_another_drill_is_named_with_what_to_do(tmp_path: Path) -> None:
    with held("daily", "drill run site-loss"):
        found = drilled(tmp_path)
    assert found.verdict == "blocked"
    (only,) = found.runs
    (said,) = only.findings
    assert said.startswith("daily is held by `drill run site-loss` (pid ")
    assert "wait until it ends" in said
    (line,) = evidence.log().read()
    assert (line.command, line.exit_code, line.result["verdict"]) == ("drill", 3, "blocked")


def test_a_drill_that_is_not_rolled_back_blocks_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(series, "mended", lambda *_: "not steady: bus@a: no answer")
    underway.path("daily").parent.mkdir(parents=True)
    underway.note("daily", Underway(run="20261129T120000000Z-000000", scenario="site-loss"))
    (only,) = drilled(tmp_path).runs
    (said,) = only.findings
    assert only.verdict == "blocked"
    assert said.startswith(
        "drill site-loss (run 20261129T120000000Z-000000) is not rolled back yet, "
        "not steady: bus@a: no answer"
    )
    assert "opsctl health daily" in said


def test_outside_its_window_a_drill_is_blocked(tmp_path: Path) -> None:
    # A window of one minute a week that is past or to come: not the one that the test runs in.
    for window in ("mon 03:00-03:01", "thu 15:00-15:01"):
        (only,) = drilled(tmp_path, drills=Drills(window=window)).runs
        if "outside the window" in only.findings[0]:
            return
    pytest.fail("no window was closed")
