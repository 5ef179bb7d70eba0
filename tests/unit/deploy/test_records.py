"""What opsctl writes down about an environment, and what it refuses to read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.deploy import records
from opsctl.deploy.records import FORMAT, Deployment, InProgress
from opsctl.errors import OpsctlError
from tests.unit.deploy.fake import environment, service

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _deployment(run: str = "r1") -> Deployment:
    return Deployment(
        run=run,
        at=NOW,
        identity="id",
        environment=environment(replay={"day_s": "0.5"}),
        services=(service("bus"), service("data", waits=("bus",))),
    )


def _change() -> InProgress:
    return InProgress(command="deploy", run="r1", at=NOW, environment=environment())


def test_what_is_written_is_read_back(state: Path) -> None:
    records.commit(_deployment(), state / "runs/r1")
    assert records.applied("daily") == _deployment()
    assert records.read(state / "runs/r1/deployment.json", Deployment) == _deployment()


def test_nothing_is_written_of_an_unknown_environment(state: Path) -> None:
    assert records.applied("daily") is None
    assert records.in_progress("daily") is None
    assert records.environment("daily") is None
    assert list(state.iterdir()) == []


def test_a_change_is_marked_until_it_ends(state: Path) -> None:
    records.begin(_change())
    assert records.in_progress("daily") == _change()
    assert records.environment("daily") == environment()
    records.commit(_deployment(), state / "runs/r1")
    assert records.in_progress("daily") == _change(), "the evidence is not written yet"
    records.end("daily")
    assert records.in_progress("daily") is None


def test_the_environment_is_the_applied_one_while_another_is_tried(state: Path) -> None:
    records.commit(_deployment(), state / "runs/r1")
    records.begin(_change())
    assert records.environment("daily") == _deployment().environment


def test_forgetting_leaves_the_runs(state: Path) -> None:
    records.begin(_change())
    records.commit(_deployment(), state / "runs/r1")
    records.forget("daily")
    assert records.environment("daily") is None
    assert (state / "runs/r1/deployment.json").exists()


@pytest.mark.parametrize("name", ["applied.json", "in_progress.json"])
def test_an_older_opsctl_refuses_a_newer_state(state: Path, name: str) -> None:
    records.begin(_change())
    records.commit(_deployment(), state / "runs/r1")
    path = state / "environments/daily" / name
    newer = {**json.loads(path.read_text()), "format": FORMAT + 1, "of_the_future": True}
    path.write_text(json.dumps(newer))
    with pytest.raises(OpsctlError, match="newer opsctl") as refused:
        records.applied("daily") and records.in_progress("daily")
    assert "release" in refused.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "x"}', '{"format": 1}', "null"])
def test_a_damaged_record_is_said_and_not_overwritten(state: Path, text: str) -> None:
    path = state / "environments/daily/applied.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(OpsctlError, match="damaged"):
        records.applied("daily")
    assert path.read_text() == text
