from __future__ import annotations

from pathlib import Path

import pytest

from opsctl import evidence
from opsctl.drills.outcome import Drilled, Measured, Verdict
from opsctl.drills.running import Run, recorded
from opsctl.drills.scenario import load
from opsctl.errors import OpsctlError
from tests.support.drilled import made
from tests.support.drilled_files import facts
from tests.unit.deploy.fake import FakeHost, FakeTarget, environment


def test_a_drill_on_one_site_is_blocked_and_says_what_the_environment_lacks(tmp_path: Path) -> None:
    heard: list[str] = []
    run = Run(
        environment(),
        FakeTarget(FakeHost(tmp_path)),
        load("leader-kill"),
        heard.append,
        move=lambda to, emergency=False: None,
        folder=tmp_path,
        id="20261129T120000000Z-000000",
    )
    found = run.whole()
    assert (found.verdict, found.measured) == ("blocked", Measured())
    assert found.findings == (
        "daily has one site: nothing can take over; trading:dr: hot or warm gives it a second one",
    )
    assert Path(found.report).read_text().startswith("# Drill leader-kill on daily: blocked")
    assert heard == ["looking for a steady state"]


@pytest.mark.parametrize(
    ("verdict", "back", "says"),
    [
        ("passed", True, "the drill is rolled back, but cannot be recorded"),
        ("interrupted", False, "the drill is NOT rolled back, but cannot be recorded"),
        (None, True, "the drill cannot be recorded"),
    ],
)
def test_the_verdict_of_a_drill_that_cannot_be_recorded_stands_in_its_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdict: Verdict | None,
    back: bool,
    says: str,
) -> None:
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path))

    def whole(run: Run) -> Drilled:
        if verdict is not None:
            run.outcome = facts(made(40), verdict).model_copy(update={"rolled_back": back})
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "whole", whole)
    with pytest.raises(OpsctlError, match=says) as caught:
        recorded(
            environment(),
            FakeTarget(FakeHost(tmp_path)),
            load("leader-kill"),
            say=lambda _: None,
            move=lambda to, emergency=False: None,
        )
    assert caught.value.hint.startswith(f"free the disk of {tmp_path}")
    (line,) = evidence.log().read()
    assert (line.outcome, line.exit_code) == ("failed", 1)
    if verdict is None:
        assert line.result == {}
    else:
        wanted = "failed" if verdict == "passed" else verdict
        assert line.result["verdict"] == wanted
        assert f"its verdict is {wanted}" in caught.value.message
        assert line.result["measured"]["orders_acknowledged"] == 40
        assert "No space left" in line.result["findings"][-1]
