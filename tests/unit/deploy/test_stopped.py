"""The pipeline, killed or interrupted: what the next command finds and finishes."""

from __future__ import annotations

import os
import signal

import pytest

from opsctl.deploy import identity, records
from opsctl.deploy.pipeline import Pipeline
from opsctl.errors import Interrupted
from tests.unit.deploy.fake import (
    FakeTarget,
    Recorded,
    deployed,
    environment,
    lines,
    service,
)


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
            deployed(pipeline)
        assert records.in_progress("daily") is not None
        target.before_each = lambda key: None
        target.applied.clear()
        deployed(pipeline)
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
                deployed(pipeline)
        assert records.applied("daily") is None
        run = deployed(pipeline)
        applied = records.applied("daily")
        assert applied is not None
        assert applied.run == run

    def test_destroy_works_on_what_is_left(self, pipeline: Pipeline, target: FakeTarget) -> None:
        self._kill_at(target, "data@a")
        with pytest.raises(self.Killed):
            deployed(pipeline)
        target.before_each = lambda key: None
        result = pipeline.destroy(environment(), keep_data=False, arguments={})
        assert result.stopped == ("bus@a",)
        assert records.environment("daily") is None

    def test_a_killed_destroy_is_brought_to_its_end_before_a_deploy(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        deployed(pipeline)
        before = identity.known("daily")
        self._kill_at(target, "data@a")
        with pytest.raises(self.Killed):
            pipeline.destroy(environment(), keep_data=False, arguments={})
        target.before_each = lambda key: None
        target.applied.clear()
        assert target.data
        deployed(pipeline)
        assert target.applied == [("start", "bus@a"), ("start", "data@a")]
        assert identity.known("daily") != before, "the old one is gone with its data"

    def test_a_rollback_after_a_killed_deploy_goes_to_what_ran_whole(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        run = deployed(pipeline)
        target.wanted = (service("bus", last="otherwise"), service("data", last="otherwise"))
        self._kill_at(target, "data@a")
        with pytest.raises(self.Killed):
            deployed(pipeline)
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
            deployed(pipeline)
        assert "continues" in stopped.value.hint
        assert "data@a" not in target.running
        assert lines()[-1].outcome == "interrupted"
        target.before_each = lambda key: None
        deployed(pipeline)
        assert set(target.running) == {"bus@a", "data@a"}
