"""What a runner of CI made in an engine is taken away by any machine, whatever is left of it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from docker import DockerClient

from opsctl.deploy.means import means
from opsctl.ephemeral.outcome import Reaped
from opsctl.ephemeral.reaping import reap
from opsctl.model.ephemeral import written
from opsctl.targets.docker import naming
from tests.e2e.machines.machine import NAME, Machine
from tests.unit.deploy.fake import Recorded

JOB = "pr-1"
UP = ("env", "up", "--from", NAME, "--name", JOB, "--no-verify", "--owner", "acme/books run 7")
OF = {"label": f"{naming.ENVIRONMENT}={JOB}"}
LATER = timedelta(hours=3)


def labels(engine: DockerClient) -> list[dict[str, str]]:
    """Return the labels of everything in the engine that bears the job's name."""
    # A lock removes itself just now, whose holder was killed.
    containers = engine.containers.list(all=True, filters=OF, ignore_removed=True)
    found = [one.labels for one in containers]
    found += [one.attrs["Labels"] for one in engine.volumes.list(filters=OF)]
    return found + [one.attrs["Labels"] for one in engine.networks.list(filters=OF)]


@pytest.fixture
def reaper(second: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Return a machine that reaps, and in whose state this process acts as well."""
    monkeypatch.setenv("OPSCTL_STATE", str(second.state))
    # Its clock is ahead: what else runs on this machine is not to be judged by it.
    monkeypatch.setattr("opsctl.ephemeral.finding.orphans_here", tuple)
    yield second
    reap(means(), Recorded(), datetime.now(UTC) + LATER)


def reaped(later: timedelta = LATER) -> dict[str, Reaped]:
    """Reap as if so much time had gone by; return what was found by name."""
    found = reap(means(), Recorded(), datetime.now(UTC) + later)
    assert found.unreachable == ()
    return {one.environment: one for one in found.environments}


@pytest.mark.parametrize("line", ["^plan", "^starting", "^ready"])
def test_what_a_dead_runner_left_is_found_by_its_labels_alone(
    first: Machine, reaper: Machine, engine: DockerClient, line: str
) -> None:
    killed = first.stopped_at(line, signal.SIGKILL, *UP)
    killed.communicate()
    shutil.rmtree(first.state)  # the runner's disk went with it
    assert labels(engine)
    assert reaped(timedelta())[JOB].verdict == "kept"
    done = reaped()[JOB]
    assert (done.verdict, done.owner) == ("removed", "acme/books run 7"), done.detail
    assert labels(engine) == []
    assert reaped() == {}


def test_all_of_it_says_when_it_ends_and_what_stays_is_never_touched(
    first: Machine, reaper: Machine, engine: DockerClient
) -> None:
    stays = engine.volumes.create(naming.state(NAME), labels={naming.ENVIRONMENT: NAME})
    first.run(*UP, "--keep")
    said = labels(engine)
    assert len(said) > 10
    ends = {(each.get(naming.OWNER), each.get(naming.EXPIRES)) for each in said}
    assert len(ends) == 1, said
    assert ends.pop()[0] == "acme/books run 7"
    _, err = reaper.run(*UP, "--keep", code=2)
    assert "the name pr-1 is taken: an environment of acme/books run 7 until 20" in err
    assert len(labels(engine)) == len(said)
    assert set(reaped()) == {JOB}
    assert labels(engine) == []
    stays.reload()
    # What the first one has written down is a copy, and what it is of is gone.
    assert JOB not in {one["environment"] for one in first.json("env", "reap")["environments"]}


def test_a_copy_gives_way_to_what_another_machine_made_by_the_name(
    first: Machine, reaper: Machine, engine: DockerClient
) -> None:
    first.run(*UP, "--keep")
    assert reaped()[JOB].verdict == "removed"
    until = written(datetime.now(UTC) + LATER)
    others = naming.labels(JOB, "another") | {naming.OWNER: "another", naming.EXPIRES: until}
    engine.networks.create(naming.network(JOB, "a"), internal=True, labels=others)
    found = first.json("env", "reap")["environments"]
    (kept,) = (one for one in found if one["environment"] == JOB)
    assert (kept["owner"], kept["verdict"]) == ("another", "kept")
    _, err = first.run(*UP, code=2)
    assert "the name pr-1 is taken: an environment of another until 20" in err
    assert reaped(LATER * 2)[JOB].verdict == "removed"
    assert labels(engine) == []
