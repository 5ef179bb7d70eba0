"""Whoever operates an environment from whichever machine: one at a time, and each carries on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

from docker import DockerClient

from opsctl.targets.docker import naming
from tests.e2e.machines.conftest import OURS
from tests.e2e.machines.machine import NAME, Machine
from tests.support.servers import folder

SET = ("--set", "limits.max_order_shares=700000")


def left(engine: DockerClient) -> list[str]:
    """Return the names of everything that bears the environment's name."""
    containers = engine.containers.list(all=True, filters=OURS, ignore_removed=True)
    networks, volumes = engine.networks.list(filters=OURS), engine.volumes.list(filters=OURS)
    return sorted(str(one.name) for one in (*containers, *networks, *volumes))


def held_by(first: Machine) -> subprocess.Popen[str]:
    """Return a deploy that holds the environment, and goes no further."""
    return first.stopped_at("^starting", signal.SIGSTOP, "deploy", NAME, "--no-verify")


def test_another_machine_is_refused_and_told_who_holds_it(first: Machine, second: Machine) -> None:
    holder = held_by(first)
    try:
        _, err = second.run("deploy", NAME, "--no-verify", code=1)
        assert f"few is held by `opsctl deploy few` (pid {holder.pid} of " in err
        assert "since 20" in err
        assert "by a lock in unix://" in err
        assert "stop it with `kill" in err
        _, err = second.run("status", NAME, code=3)
        assert "unfinished" not in err  # it is under way
    finally:
        holder.kill()
        holder.communicate()
    # The lock of a process that was killed is gone, and what it began is known.
    _, err = second.run("status", NAME, code=3)
    assert "unfinished: the deploy of" in err
    assert second.deploy()["services"] == 3
    identity = (second.copy / "identity").read_text()
    assert identity == (first.copy / "identity").read_text()
    assert first.json("status", NAME)["verdict"] == "healthy"


def test_either_machine_carries_on(first: Machine, second: Machine, engine: DockerClient) -> None:
    begun = first.deploy()
    assert not (first.copy / "secrets").exists()  # they are here while a command runs
    assert second.json("status", NAME)["verdict"] == "healthy"
    assert second.json("plan", NAME)["changes"] == []
    again = second.deploy()
    assert (again["changed"], again["run"]) == (False, begun["run"])
    changed = second.deploy("--set", "detection_ms=200")
    assert changed["run"] != begun["run"]
    # A machine that was cloned before goes on with a copy of the evidence: it has forked.
    with folder() as home:
        clone = Machine(home / "state", first.project)
        shutil.copytree(first.state, clone.state)
        back = first.json("rollback", NAME, "--no-verify")
        _, err = clone.run("deploy", NAME, "--no-verify", "--set", "detection_ms=200")
        assert "the evidence of this machine is not whole: the log ends with line 0" in err
        assert clone.copy.joinpath("applied.json").exists()
    first.json("rollback", NAME, "--no-verify")
    assert back["restores"] == begun["run"]
    gone = second.json("destroy", NAME, "--yes")
    assert len(gone["stopped"]) == 3
    assert left(engine) == []
    _, err = first.run("status", NAME, code=2)
    assert "few is not deployed" in err
    assert not [path for path in first.copy.rglob("*") if path.is_file() and path.name != "lock"]


def test_what_is_in_the_engine_tells_no_secret(first: Machine, engine: DockerClient) -> None:
    holder = held_by(first)
    try:
        (lock,) = engine.containers.list(filters={"name": naming.lock(NAME)})
        secrets = [p.read_text().strip() for p in first.copy.glob("secrets/*") if p.is_file()]
        assert len(secrets) == 2
        assert {p.stat().st_mode & 0o777 for p in first.copy.glob("secrets/*") if p.is_file()} == {
            0o600
        }
        shown = json.dumps([lock.attrs, *(v.attrs for v in engine.volumes.list(filters=OURS))])
        assert not [secret for secret in secrets if secret in shown]
        assert lock.attrs["HostConfig"]["LogConfig"]["Type"] == "none"
        assert lock.attrs["HostConfig"]["NetworkMode"] == "none"
        assert lock.attrs["HostConfig"]["CapDrop"] == ["ALL"]
        modes = (
            "import os; print(*(oct(os.stat(p).st_mode) for p in ('/state', '/state/state.json')))"
        )
        _, said = lock.exec_run(["/usr/bin/python3.11", "-c", modes])
        assert said.decode().split() == ["0o40700", "0o100600"]
    finally:
        holder.kill()
        holder.communicate()
