"""The pipeline backwards: to what an earlier run had deployed, and to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.deploy import identity, records
from opsctl.deploy.pipeline import Pipeline
from opsctl.errors import DeployFailed, UsageError
from tests.unit.deploy.fake import (
    BUS,
    FakeTarget,
    deployed,
    environment,
    lines,
    service,
)


class TestRollback:
    """Going back to what an earlier run had deployed."""

    @pytest.fixture
    def runs(self, pipeline: Pipeline, target: FakeTarget) -> list[str]:
        found: list[str] = []
        for word in ("one", "two", "three"):
            target.wanted = (BUS, service("data", last=word))
            found.append(deployed(pipeline, timezone=f"Etc/GMT-{len(found)}"))
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
        assert lines()[-1].command == "rollback"

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
        deployed(pipeline)
        result = pipeline.destroy(environment(), keep_data=False, arguments={})
        assert set(result.stopped) == {"bus@a", "data@a"}
        assert target.data == set()
        assert list((state / "environments").iterdir()) == []
        assert [line.command for line in lines()] == ["deploy", "destroy"]

    def test_keeps_data_and_identity_where_asked(
        self, pipeline: Pipeline, target: FakeTarget
    ) -> None:
        deployed(pipeline)
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
        assert lines() == []
