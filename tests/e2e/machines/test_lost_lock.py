"""An engine that loses a lock: its holder takes it again."""

from __future__ import annotations

import signal

from docker import DockerClient

from opsctl.targets.docker import naming
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
