"""The pipeline on a target without processes: what is applied, recorded, and gone back to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.deploy import identity, records
from opsctl.deploy.lock import held
from opsctl.deploy.pipeline import CHOICES, Pipeline
from opsctl.errors import Contended, DeployFailed, Locked, UsageError
from tests.unit.deploy.fake import (
    BUS,
    DATA,
    FAILS,
    FakeTarget,
    Recorded,
    deployed,
    environment,
    lines,
    means,
    service,
)


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
    run = deployed(pipeline)
    (line,) = lines()
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
    run = deployed(pipeline)
    target.applied.clear()
    result = pipeline.deploy(environment(), arguments={}, verify=False)
    assert not result.changed
    assert result.run == run
    assert target.applied == []
    assert len(lines()) == 1


def test_only_the_difference_is_applied(pipeline: Pipeline, target: FakeTarget) -> None:
    first = deployed(pipeline)
    target.applied.clear()
    target.wanted = (BUS, service("data", last="otherwise"))
    second = deployed(pipeline)
    assert target.applied == [("restart", "data@a")]
    applied = records.applied("daily")
    assert applied is not None
    assert (applied.run, applied.before) == (second, first)


def test_a_setting_that_no_service_sees_is_applied_too(pipeline: Pipeline) -> None:
    deployed(pipeline)
    run = deployed(pipeline, timezone="Europe/Berlin")
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
        deployed(pipeline)
    assert target.applied == []
    assert records.in_progress("daily") is None
    assert lines() == []


def test_what_another_took_is_chosen_again_and_not_for_ever(
    pipeline: Pipeline, target: FakeTarget
) -> None:
    target.refuses, target.refuses_times = Contended("another environment has taken it"), 100
    with pytest.raises(Contended):
        deployed(pipeline)
    assert (target.refuses_times, target.applied, lines()) == (100 - CHOICES, [], [])
    target.refuses_times = 2
    assert deployed(pipeline)
    assert len(lines()) == 1


class TestFailing:
    """A failed deploy goes back to what ran before."""

    def test_a_first_one_stops_what_it_started_and_keeps_the_logs(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        target.wanted = (BUS, service("data", last=FAILS))
        with pytest.raises(DeployFailed) as failed:
            deployed(pipeline)
        assert "data@a exited with 1; what was started is stopped again" in failed.value.message
        assert failed.value.details == ("cannot work like this",)
        assert target.running == {}
        assert target.tail("data@a", 1) == ("cannot work like this",)
        assert records.applied("daily") is None
        assert records.in_progress("daily") is None
        assert lines()[-1].outcome == "failed"

    def test_a_later_one_brings_the_former_back(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        run = deployed(pipeline)
        target.wanted = (service("bus", last="otherwise"), service("data", last=FAILS))
        with pytest.raises(DeployFailed, match=f"run {run} runs again"):
            deployed(pipeline)
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
        deployed(pipeline)
        del target.running["data@a"]

        def full(key: str) -> None:
            raise OSError(28, "No space left on device")

        target.before_each = full
        with pytest.raises(DeployFailed, match=r"No space left.*none to go back to"):
            deployed(pipeline)
        assert list(target.running) == ["bus@a"]

    def test_a_way_back_that_fails_says_both(self, pipeline: Pipeline, target: FakeTarget) -> None:
        deployed(pipeline)
        target.wanted = (service("bus", last=FAILS), DATA)

        def break_on_the_way_back(key: str) -> None:
            if target.applied[-1] == ("restart", "bus@a"):
                raise OSError(28, "No space left on device")

        target.before_each = break_on_the_way_back
        with pytest.raises(DeployFailed, match="exited with 1; and what ran before could not"):
            deployed(pipeline)
        assert records.in_progress("daily") is not None, "the next deploy must know"

    def test_a_service_that_does_not_work_is_a_failure(
        self, target: FakeTarget, progress: Recorded
    ) -> None:
        sick = Pipeline(means(target, sick={"data@a": "no FIX heartbeat"}), progress)
        with pytest.raises(DeployFailed, match="data@a is not healthy: no FIX heartbeat") as failed:
            deployed(sick)
        assert failed.value.details == ("works",), "the end of its log"
        assert target.running == {}


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
        assert (lines()[-1].exit_code, lines()[-1].outcome) == (3, "failed")

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
        lambda: deployed(pipeline),
        lambda: pipeline.rollback("daily", to=None, arguments={}, verify=False),
        lambda: pipeline.destroy(environment(), keep_data=False, arguments={}),
    )


@pytest.mark.parametrize("which", range(3), ids=["deploy", "rollback", "destroy"])
def test_only_one_at_a_time(pipeline: Pipeline, target: FakeTarget, which: int) -> None:
    deployed(pipeline)
    target.applied.clear()
    with held("daily", "opsctl drill daily"), pytest.raises(Locked, match="opsctl drill daily"):
        _another_holds(pipeline)[which]()
    assert target.applied == []
    assert set(target.running) == {"bus@a", "data@a"}


def test_a_move_to_another_target_is_refused(pipeline: Pipeline, target: FakeTarget) -> None:
    deployed(pipeline)
    target.applied.clear()
    for act in (
        lambda: deployed(pipeline, target="docker"),
        lambda: pipeline.plan(environment(target="docker")),
    ):
        with pytest.raises(UsageError, match="cannot move to docker"):
            act()
    assert target.applied == []


def test_a_move_to_other_sites_is_refused(pipeline: Pipeline, target: FakeTarget) -> None:
    deployed(pipeline)
    target.applied.clear()
    for act in (
        lambda: deployed(pipeline, dr="hot"),
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
