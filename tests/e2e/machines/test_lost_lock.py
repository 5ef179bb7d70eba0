"""An engine that loses a lock: its holder takes it again, unless another has written since."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from datetime import UTC, datetime

import pytest
from docker import DockerClient

from opsctl.custody import Holder
from opsctl.errors import Locked
from opsctl.images.engine import connect
from opsctl.targets.docker import naming
from opsctl.targets.docker.backend import DockerBackend
from tests.e2e.machines.machine import NAME, Machine


def lose(engine: DockerClient) -> None:
    """Remove the lock, as an engine that is killed and started again does."""
    engine.containers.get(naming.lock(NAME)).remove(force=True)


def test_a_lock_that_is_lost_is_taken_again(first: Machine, engine: DockerClient) -> None:
    deploy = first.stopped_at("^starting", signal.SIGSTOP, "deploy", NAME, "--no-verify")
    lose(engine)
    deploy.send_signal(signal.SIGCONT)
    out, err = deploy.communicate(timeout=120)
    assert deploy.returncode == 0, f"{out}\n{err}"
    assert not first.deploy()["changed"]


def test_who_was_overtaken_meanwhile_is_told_and_writes_nothing(engine: DockerClient) -> None:
    first, second = (
        Holder(pid=1, host=host, user="u", since=datetime.now(UTC), command="a test")
        for host in ("one", "two")
    )
    reached = connect(os.environ["DOCKER_HOST"])
    with closing(reached.client):
        backend = DockerBackend(NAME, (reached,))
        held = backend.acquire(first)
        held.put({"identity": "mine"})
        lose(engine)
        held.check()  # nobody has written: it is taken again
        lose(engine)
        other = backend.acquire(second)
        other.put({"identity": "mine", "applied.json": "of two"})
        other.release()
        with pytest.raises(Locked, match="was lost, and its state was written by u on two"):
            held.check()
        lost = backend.read()
        assert lost is not None
        assert lost.files["applied.json"] == "of two"
        held.release()
