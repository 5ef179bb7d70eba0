"""The pipeline on a target without processes: what is applied, recorded, and gone back to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opsctl import evidence
from opsctl.deploy import identity, records
from opsctl.deploy.lock import held
from opsctl.deploy.pipeline import CHOICES, Pipeline
from opsctl.errors import Contended, DeployFailed, Interrupted, Locked, UsageError
from opsctl.evidence import Entry
from tests.unit.deploy.fake import (
    FAILS,
    FakeHost,
    FakeTarget,
    Recorded,
    environment,
    means,
    service,
)

BUS, DATA = service("bus"), service("data", waits=("bus",))


@pytest.fixture
def target(state: Path) -> FakeTarget:
    return FakeTarget(FakeHost(state / "host"), (BUS, DATA))


@pytest.fixture
def progress() -> Recorded:
    return Recorded()


@pytest.fixture
def pipeline(target: FakeTarget, progress: Recorded) -> Pipeline:
    return Pipeline(means(target), progress)


def _deploy(pipeline: Pipeline, *, verify: bool = False, **settings: Any) -> str:
    return pipeline.deploy(environment(**settings), arguments={}, verify=verify).run


def _lines() -> list[Entry]:
    return list(evidence.log().read())


def test_a_first_deploy_starts_everything(
    pipeline: Pipeline, target: FakeTarget, progress: Recorded, state: Path
) -> None:
    result = pipeline.deploy(environment(), arguments={"verify": False}, verify=False)
    assert target.applied == [("start", "bus@a"), ("start", "data@a")]
    assert result.changed
    assert [c.name for c in result.changes] == ["bus@a", "data@a"]
    assert progress.plans[0].changes == result.changes
    assert progress.stages == ["health"]
    applied = records.applied("daily")
    assert applied is not None
    assert (applied.run, applied.services, applied.before) == (result.run, (BUS, DATA), None)
    assert (state / "runs" / result.run / "deployment.json").exists()
    assert records.in_progress("daily") is None


def test_it_leaves_evidence(pipeline: Pipeline) -> None:
    run = _deploy(pipeline)
    (line,) = _lines()
    assert (line.command, line.environment, line.run, line.outcome) == (
        "deploy",
        "daily",
        run,
        "done",
    )
    assert line.identity == identity.known("daily")
    assert line.result["changes"]


def test_nothing_changed_restarts_nothing_and_leaves_no_line(
    pipeline: Pipeline, target: FakeTarget
) -> None:
    run = _deploy(pipeline)
    target.applied.clear()
    result = pipeline.deploy(environment(), arguments={}, verify=False)
    assert not result.changed
    assert result.run == run
    assert target.applied == []
    assert len(_lines()) == 1


def test_only_the_difference_is_applied(pipeline: Pipeline, target: FakeTarget) -> None:
    first = _deploy(pipeline)
    target.applied.clear()
    target.wanted = (BUS, service("data", last="otherwise"))
    second = _deploy(pipeline)
    assert target.applied == [("restart", "data@a")]
    applied = records.applied("daily")
    assert applied is not None
    assert (applied.run, applied.before) == (second, first)


def test_a_setting_that_no_service_sees_is_applied_too(pipeline: Pipeline) -> None:
    _deploy(pipeline)
    run = _deploy(pipeline, timezone="Europe/Berlin")
    applied = records.applied("daily")
    assert applied is not None
    assert (applied.run, applied.environment.timezone) == (run, "Europe/Berlin")


def test_a_plan_changes_nothing(pipeline: Pipeline, target: FakeTarget, state: Path) -> None:
    plan = pipeline.plan(environment())
    assert [(c.action.value, c.name) for c in plan.changes] == [
        ("start", "bus@a"),
        ("start", "data@a"),
    ]
    assert target.applied == []
    assert not (state / "environments").exists()


def test_preflight_speaks_before_anything_starts(pipeline: Pipeline, target: FakeTarget) -> None:
    target.refuses = DeployFailed("port 5432 is in use by sshd")
    with pytest.raises(DeployFailed, match="port 5432"):
        _deploy(pipeline)
    assert target.applied == []
    assert records.in_progress("daily") is None
    assert _lines() == []


def test_what_another_took_is_chosen_again_and_not_for_ever(
    pipeline: Pipeline, target: FakeTarget
) -> None:
    target.refuses, target.refuses_times = Contended("another environment has taken it"), 100
    with pytest.raises(Contended):
        _deploy(pipeline)
    assert (target.refuses_times, target.applied, _lines()) == (100 - CHOICES, [], [])
    target.refuses_times = 2
    assert _deploy(pipeline)
    assert len(_lines()) == 1


class TestFailing:
    """A failed deploy goes back to what ran before."""

    def test_a_first_one_stops_what_it_started_and_keeps_the_logs(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        target.wanted = (BUS, service("data", last=FAILS))
        with pytest.raises(DeployFailed) as failed:
            _deploy(pipeline)
        assert "data@a exited with 1; what was started is stopped again" in failed.value.message
        assert failed.value.details == ("cannot work like this",)
        assert target.running == {}
        assert target.tail("data@a", 1) == ("cannot work like this",)
        assert records.applied("daily") is None
        assert records.in_progress("daily") is None
        assert _lines()[-1].outcome == "failed"

    def test_a_later_one_brings_the_former_back(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        run = _deploy(pipeline)
        target.wanted = (service("bus", last="otherwise"), service("data", last=FAILS))
        with pytest.raises(DeployFailed, match=f"run {run} runs again"):
            _deploy(pipeline)
        assert {seen.made_from for seen in target.running.values()} == {
            BUS.digest(),
            DATA.digest(),
        }
        applied = records.applied("daily")
        assert applied is not None
        assert applied.run == run
        assert records.in_progress("daily") is None

    def test_the_same_one_again_keeps_what_runs(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        """After a crash of the machine a disk is full, say: stopping the rest helps nobody."""
        _deploy(pipeline)
        del target.running["data@a"]

        def full(key: str) -> None:
            raise OSError(28, "No space left on device")

        target.before_each = full
        with pytest.raises(DeployFailed, match=r"No space left.*none to go back to"):
            _deploy(pipeline)
        assert list(target.running) == ["bus@a"]

    def test_a_way_back_that_fails_says_both(self, pipeline: Pipeline, target: FakeTarget) -> None:
        _deploy(pipeline)
        target.wanted = (service("bus", last=FAILS), DATA)

        def break_on_the_way_back(key: str) -> None:
            if target.applied[-1] == ("restart", "bus@a"):
                raise OSError(28, "No space left on device")

        target.before_each = break_on_the_way_back
        with pytest.raises(DeployFailed, match="exited with 1; and what ran before could not"):
            _deploy(pipeline)
        assert records.in_progress("daily") is not None, "the next deploy must know"

    def test_a_service_that_does_not_work_is_a_failure(
        self, target: FakeTarget, progress: Recorded
    ) -> None:
        sick = Pipeline(means(target, sick={"data@a": "no FIX heartbeat"}), progress)
        with pytest.raises(DeployFailed, match="data@a is not healthy: no FIX heartbeat") as failed:
            _deploy(sick)
        assert failed.value.details == ("works",), "the end of its log"
        assert target.running == {}


class TestKilled:
    """What a killed opsctl leaves is continued."""

    class Killed(BaseException):
        """Ends the process, as far as the pipeline can see."""

    def _kill_at(self, target: FakeTarget, key: str) -> None:
        def die(at: str) -> None:
            if at == key:
                raise self.Killed

        target.before_each = die

    def test_the_next_deploy_continues_and_says_so(
        self, pipeline: Pipeline, target: FakeTarget, progress: Recorded
    ) -> None:
        self._kill_at(target, "data@a")
        with pytest.raises(self.Killed):
            _deploy(pipeline)
        assert records.in_progress("daily") is not None
        target.before_each = lambda key: None
        target.applied.clear()
        _deploy(pipeline)
        assert target.applied == [("start", "data@a")]
        assert "did not come to its end; continuing" in progress.said[0]
        assert records.in_progress("daily") is None

    def test_killed_after_the_last_step_is_written_down_by_the_next(
        self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: object) -> None:
            raise self.Killed

        with monkeypatch.context() as patch:
            patch.setattr(records, "commit", die)
            with pytest.raises(self.Killed):
                _deploy(pipeline)
        assert records.applied("daily") is None
        run = _deploy(pipeline)
        applied = records.applied("daily")
        assert applied is not None
        assert applied.run == run

    def test_destroy_works_on_what_is_left(self, pipeline: Pipeline, target: FakeTarget) -> None:
        self._kill_at(target, "data@a")
        with pytest.raises(self.Killed):
            _deploy(pipeline)
        target.before_each = lambda key: None
        result = pipeline.destroy(environment(), keep_data=False, arguments={})
        assert result.stopped == ("bus@a",)
        assert records.environment("daily") is None

    def test_a_killed_destroy_is_brought_to_its_end_before_a_deploy(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        _deploy(pipeline)
        before = identity.known("daily")
        self._kill_at(target, "data@a")
        with pytest.raises(self.Killed):
            pipeline.destroy(environment(), keep_data=False, arguments={})
        target.before_each = lambda key: None
        target.applied.clear()
        assert target.data
        _deploy(pipeline)
        assert target.applied == [("start", "bus@a"), ("start", "data@a")]
        assert identity.known("daily") != before, "the old one is gone with its data"

    def test_a_rollback_after_a_killed_deploy_goes_to_what_ran_whole(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        run = _deploy(pipeline)
        target.wanted = (service("bus", last="otherwise"), service("data", last="otherwise"))
        self._kill_at(target, "data@a")
        with pytest.raises(self.Killed):
            _deploy(pipeline)
        target.before_each = lambda key: None
        target.applied.clear()
        result = pipeline.rollback("daily", to=None, arguments={}, verify=False)
        assert result.restores == run
        assert target.applied == [("restart", "bus@a")]


class TestInterrupted:
    """Ctrl-C stops at the next safe point."""

    def test_between_two_services(
        self, pipeline: Pipeline, target: FakeTarget, progress: Recorded
    ) -> None:
        def press(key: str) -> None:
            if key == "bus@a":
                os.kill(os.getpid(), signal.SIGINT)

        target.before_each = press
        with pytest.raises(Interrupted, match="of 2") as stopped:
            _deploy(pipeline)
        assert "continues" in stopped.value.hint
        assert "data@a" not in target.running
        assert _lines()[-1].outcome == "interrupted"
        target.before_each = lambda key: None
        _deploy(pipeline)
        assert set(target.running) == {"bus@a", "data@a"}


class TestRollback:
    """Going back to what an earlier run had deployed."""

    @pytest.fixture
    def runs(self, pipeline: Pipeline, target: FakeTarget) -> list[str]:
        found: list[str] = []
        for word in ("one", "two", "three"):
            target.wanted = (BUS, service("data", last=word))
            found.append(_deploy(pipeline, timezone=f"Etc/GMT-{len(found)}"))
        target.applied.clear()
        return found

    def test_to_the_one_before(
        self, pipeline: Pipeline, target: FakeTarget, runs: list[str]
    ) -> None:
        result = pipeline.rollback("daily", to=None, arguments={}, verify=False)
        assert result.restores == runs[1]
        assert target.applied == [("restart", "data@a")]
        assert target.running["data@a"].made_from == service("data", last="two").digest()
        applied = records.applied("daily")
        assert applied is not None
        assert (applied.before, applied.environment.timezone) == (runs[0], "Etc/GMT-1")
        assert _lines()[-1].command == "rollback"

    def test_to_a_named_run(self, pipeline: Pipeline, target: FakeTarget, runs: list[str]) -> None:
        pipeline.rollback("daily", to=runs[0], arguments={}, verify=False)
        assert target.running["data@a"].made_from == service("data", last="one").digest()

    def test_of_what_is_not_deployed(self, pipeline: Pipeline) -> None:
        with pytest.raises(UsageError, match="daily is not deployed"):
            pipeline.rollback("daily", to=None, arguments={}, verify=False)

    def test_one_that_fails_goes_forward_again(
        self, pipeline: Pipeline, target: FakeTarget, runs: list[str]
    ) -> None:
        once: list[str] = []

        def fail_once(key: str) -> None:
            if not once:
                once.append(key)
                raise OSError(28, "No space left on device")

        target.before_each = fail_once
        with pytest.raises(DeployFailed, match=f"run {runs[2]} runs again"):
            pipeline.rollback("daily", to=runs[0], arguments={}, verify=False)
        applied = records.applied("daily")
        assert applied is not None
        assert applied.run == runs[2]


class TestDestroy:
    """Stopping and removing."""

    def test_leaves_nothing_but_evidence(
        self, pipeline: Pipeline, target: FakeTarget, state: Path
    ) -> None:
        _deploy(pipeline)
        result = pipeline.destroy(environment(), keep_data=False, arguments={})
        assert set(result.stopped) == {"bus@a", "data@a"}
        assert target.data == set()
        assert list((state / "environments").iterdir()) == []
        assert [line.command for line in _lines()] == ["deploy", "destroy"]

    def test_keeps_data_and_identity_where_asked(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        _deploy(pipeline)
        me = identity.known("daily")
        pipeline.destroy(environment(), keep_data=True, arguments={})
        assert target.data == {"bus@a", "data@a"}
        assert identity.known("daily") == me
        assert records.environment("daily") is None
        with pytest.raises(UsageError, match="not deployed"):
            pipeline.rollback("daily", to=None, arguments={}, verify=False)

    def test_nothing_is_no_fault_and_no_line(self, pipeline: Pipeline, state: Path) -> None:
        assert pipeline.destroy(environment(), keep_data=False, arguments={}).run is None
        assert not (state / "environments").exists()
        assert _lines() == []


class TestVerify:
    """The tier is measured after the change."""

    def test_a_missed_tier_keeps_the_deployment_and_is_in_the_evidence(
        self, target: FakeTarget, progress: Recorded
    ) -> None:
        missed = Pipeline(means(target, verdict="failed"), progress)
        result = missed.deploy(environment(), arguments={}, verify=True)
        assert not result.kept
        assert progress.stages == ["health", "verify"]
        assert set(target.running) == {"bus@a", "data@a"}
        assert (_lines()[-1].exit_code, _lines()[-1].outcome) == (3, "failed")

    def test_nothing_changed_is_not_measured_again(
        self, target: FakeTarget, progress: Recorded
    ) -> None:
        pipeline = Pipeline(means(target), progress)
        assert pipeline.deploy(environment(), arguments={}, verify=True).verification
        again = pipeline.deploy(environment(), arguments={}, verify=True)
        assert again.verification is None
        assert again.kept

    def test_one_that_breaks_leaves_a_whole_deployment(
        self, target: FakeTarget, progress: Recorded
    ) -> None:
        broken = Pipeline(means(target, verdict=None), progress)
        with pytest.raises(DeployFailed, match="cannot measure"):
            broken.deploy(environment(), arguments={}, verify=True)
        assert records.applied("daily") is not None
        assert records.in_progress("daily") is None


def _another_holds(pipeline: Pipeline) -> tuple[Callable[[], object], ...]:
    return (
        lambda: _deploy(pipeline),
        lambda: pipeline.rollback("daily", to=None, arguments={}, verify=False),
        lambda: pipeline.destroy(environment(), keep_data=False, arguments={}),
    )


@pytest.mark.parametrize("which", range(3), ids=["deploy", "rollback", "destroy"])
def test_only_one_at_a_time(pipeline: Pipeline, target: FakeTarget, which: int) -> None:
    _deploy(pipeline)
    target.applied.clear()
    with held("daily", "opsctl drill daily"), pytest.raises(Locked, match="opsctl drill daily"):
        _another_holds(pipeline)[which]()
    assert target.applied == []
    assert set(target.running) == {"bus@a", "data@a"}


def test_a_move_to_another_target_is_refused(pipeline: Pipeline, target: FakeTarget) -> None:
    _deploy(pipeline)
    target.applied.clear()
    for act in (
        lambda: _deploy(pipeline, target="docker"),
        lambda: pipeline.plan(environment(target="docker")),
    ):
        with pytest.raises(UsageError, match="cannot move to docker"):
            act()
    assert target.applied == []


def test_a_move_to_other_sites_is_refused(pipeline: Pipeline, target: FakeTarget) -> None:
    _deploy(pipeline)
    target.applied.clear()
    for act in (
        lambda: _deploy(pipeline, dr="hot"),
        lambda: pipeline.plan(environment(dr="hot")),
    ):
        with pytest.raises(UsageError, match=r"dr cold \(sites a\) and cannot become"):
            act()
    assert target.applied == []


def test_a_deploy_of_sites_that_share_a_host_says_that_it_is_a_rehearsal(
    pipeline: Pipeline,
) -> None:
    for _ in ("changed", "same again"):
        result = pipeline.deploy(environment(dr="hot"), arguments={}, verify=False)
        assert "rehearsed here, not met" in result.rehearsal
