"""Environments of several jobs: at once, cancelled, killed at any step, and reaped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsctl.deploy.means import means
from opsctl.ephemeral.reaping import reap
from opsctl.targets.local.orphans import orphans
from opsctl.targets.local.processes import Process, children, command_of, pids, process
from tests.e2e.branches.conftest import Job, left
from tests.support.process import folder
from tests.unit.deploy.fake import Recorded

Start = Callable[..., Job]
LATER = timedelta(hours=3)
"""More than the time to live that a job has by default."""
PRINTS = ("sh", "-c", "env | grep ^OPSCTL_AT_ >&2; echo within $OPSCTL_ENVIRONMENT >&2")


def at(job: Job) -> dict[str, str]:
    """Return where a job was told that its ports are."""
    lines = (line.strip() for text in job.said for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line.startswith("OPSCTL_AT_"))


def descendants(pid: int) -> list[Process]:
    """Return a process and all that came from it."""
    born, found = children(), [pid]
    for each in found:
        found += born.get(each, ())
    return [known for each in found if (known := process(each)) is not None]


def test_three_at_once_do_not_collide_and_leave_nothing(start: Start, state: Path) -> None:
    with folder() as elsewhere:
        jobs = [
            start("pr-1", "--no-verify", "--", *PRINTS),
            start("pr-2", "--no-verify", "--", *PRINTS),
            start("pr-1", "--no-verify", "--", *PRINTS, state=elsewhere),
        ]
        codes = [job.end()[0] for job in jobs]
        assert codes == [0, 0, 0], [job.said for job in jobs]
        where = [set(at(job).values()) for job in jobs]
        assert all(len(each) > 15 for each in where)
        assert len(set.union(*where)) == sum(map(len, where))
        assert left(state) == left(elsewhere) == []
        assert not list((state / "environments").iterdir())


@pytest.mark.parametrize(
    ("number", "word", "code"),
    [(signal.SIGTERM, "ready", 143), (signal.SIGINT, "within pr-1", 130)],
)
def test_cancelled_it_comes_down(
    start: Start, state: Path, number: signal.Signals, word: str, code: int
) -> None:
    sleeps = "echo within $OPSCTL_ENVIRONMENT >&2; sleep 456789"
    job = start("pr-1", "--no-verify", "--output", "json", "--", "sh", "-c", sleeps)
    job.until(word)
    job.signal(number)
    if number is signal.SIGINT:  # as CI does when the first one does not help at once
        job.signal(signal.SIGTERM)
    ended, out = job.end()
    assert ended == code, job.said
    found = json.loads(out)
    assert (found["verdict"], found["left"]) == ("cancelled", False)
    assert left(state) == []
    assert not [pid for pid in pids() if "456789" in command_of(pid)]
    assert not list((state / "environments").iterdir())


@pytest.mark.parametrize("word", ["starting", "measuring", "within"])
def test_what_a_killed_runner_leaves_is_reaped_when_its_time_is_over(
    start: Start, state: Path, word: str
) -> None:
    waits = ("sh", "-c", "echo within >&2; exec sleep 456780")
    job = start("pr-1", *(() if word == "measuring" else ("--no-verify",)), "--", *waits)
    job.until(word)
    job.signal(signal.SIGKILL)
    job.process.wait()
    for pid in [pid for pid in pids() if "456780" in command_of(pid)]:
        os.kill(pid, signal.SIGKILL)  # the job's own, which CI ends with the job
    assert left(state)
    (kept,) = reap(means(), Recorded(), datetime.now(UTC)).environments
    assert kept.verdict == "kept"
    (gone,) = reap(means(), Recorded(), datetime.now(UTC) + LATER).environments
    assert gone.verdict == "removed", gone.detail
    assert left(state) == []
    assert not list((state / "environments").iterdir())
    assert reap(means(), Recorded(), datetime.now(UTC) + LATER).environments == ()


def test_processes_whose_state_folder_is_gone_are_reaped_by_what_they_bear(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder() as lost:
        found = "opsctl.ephemeral.finding.orphans_here"
        monkeypatch.setattr(
            found, lambda: tuple(one for one in orphans() if one.root.is_relative_to(lost))
        )
        job = start("lost-1", "--no-verify", "--keep", state=lost)
        assert job.end()[0] == 0, job.said
        assert reap(means(), Recorded(), datetime.now(UTC) + LATER).environments == ()
        root = lost / "environments/lost-1"
        ran = descendants(int((root / "supervisord.pid").read_text()))
        made = [json.loads(one.read_text()) for one in root.glob("services/*.json")]
        sockets = [Path(path) for one in made for path in one["leaves"] if Path(path).exists()]
    assert (len(ran) > len(made), len(sockets)) == (True, 4)
    (kept,) = reap(means(), Recorded(), datetime.now(UTC)).environments
    assert (kept.verdict, kept.environment, str(lost) in kept.where) == ("kept", "lost-1", True)
    (gone,) = reap(means(), Recorded(), datetime.now(UTC) + LATER).environments
    assert (gone.verdict, gone.run is None) == ("removed", False), gone.detail
    assert [one for one in ran if one.alive] == []
    assert [path for path in sockets if path.exists()] == []
    assert reap(means(), Recorded(), datetime.now(UTC) + LATER).environments == ()
