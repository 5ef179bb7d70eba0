"""The list of what killed commands left, read from files alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.deploy import records
from opsctl.deploy.records import InProgress
from opsctl.drills import underway
from opsctl.drills.underway import Underway
from opsctl.evidence import runs
from opsctl.unfinished import look
from tests.unit.deploy.fake import environment

AT = datetime(2026, 11, 23, 21, 4, 56, tzinfo=UTC)


@pytest.fixture(params=["dead", "alive"])
def run(request: pytest.FixtureRequest, state: Path) -> Iterator[tuple[str, bool]]:
    """Yield a run that was begun, and whether its process is dead."""
    underway.path("daily").parent.mkdir(parents=True)
    started = runs.describe("drill", "daily", None, None)
    if request.param == "alive":
        with runs.marked(started):
            yield started.run, False
        return
    with runs.marked(started):
        pass
    yield started.run, True


def _kinds() -> list[tuple[str, str]]:
    return [(left.kind, left.run) for left in look("daily")]


def test_a_run_without_an_end_is_unfinished_once_its_process_is_gone(run: tuple[str, bool]) -> None:
    name, dead = run
    assert _kinds() == ([("run", name)] if dead else [])
    assert look("intraday") == (), "another environment's"
    assert runs.ended(name) is dead
    assert not runs.ended("20261123T210456123Z-3f9a1c"), "of a machine that we know nothing of"


def test_faults_are_those_of_a_drill_that_is_gone(run: tuple[str, bool]) -> None:
    name, dead = run
    underway.note("daily", Underway(run=name, scenario="leader-freeze", frozen=("execution@a",)))
    assert _kinds() == ([("faults", name)] if dead else [])
    if dead:
        assert "execution@a frozen" in look("daily")[0].what


def test_a_change_is_unfinished_when_its_command_is_gone(run: tuple[str, bool]) -> None:
    name, dead = run
    begun = InProgress(command="deploy", run=name, at=AT, environment=environment("daily"))
    records.begin(begun)
    assert _kinds() == ([("change", name)] if dead else [])
    if dead:
        assert look("daily")[0].heals == (
            "opsctl deploy daily continues it, opsctl rollback daily goes back"
        )
