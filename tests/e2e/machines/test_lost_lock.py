"""An engine that loses a lock: its holder takes it again, unless another has gone on since."""

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


def test_who_was_overtaken_meanwhile_is_told_and_writes_nothing(
    first: Machine, second: Machine, engine: DockerClient
) -> None:
    # Not later: who is stopped as it sends an archive keeps the engine's hands on that container.
    deploy = first.stopped_at("^plan ", signal.SIGSTOP, "deploy", NAME, "--no-verify")
    try:
        lose(engine)
        run = second.deploy()["run"]
        deploy.send_signal(signal.SIGCONT)
        _, err = deploy.communicate(timeout=120)
    finally:
        deploy.kill()
    assert deploy.returncode == 1
    assert "the lock of few was lost, and its state was written by" in err
    assert "hint: look at it before you go on: opsctl status few" in err
    assert second.deploy()["run"] == run
    assert first.deploy()["run"] == run
