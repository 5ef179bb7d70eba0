"""Two machines that choose addresses in one engine at once never have the same."""

from __future__ import annotations

import signal
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest
from docker import DockerClient

from opsctl.targets.docker import naming
from tests.e2e.machines.machine import NAME, Machine
from tests.e2e.machines.test_custody import left

JOBS = ("pr-1", "pr-2")


def networks(engine: DockerClient, name: str) -> list[IPv4Network]:
    """Return the addresses that an environment has."""
    found: list[Any] = engine.networks.list(filters={"label": f"{naming.ENVIRONMENT}={name}"})
    return [IPv4Network(one.attrs["IPAM"]["Config"][0]["Subnet"]) for one in found]


def test_who_comes_second_chooses_others(
    first: Machine, second: Machine, engine: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APART", "1")
    up = [("env", "up", "--from", NAME, "--name", name, "--no-verify", "--keep") for name in JOBS]
    # It has chosen, and made nothing.
    slow = first.stopped_at("^plan", signal.SIGSTOP, *up[0])
    try:
        assert networks(engine, JOBS[0]) == []
        second.run(*up[1])
        slow.send_signal(signal.SIGCONT)
        out, err = slow.communicate(timeout=120)
        assert slow.returncode == 0, f"{out}\n{err}"
        assert "another environment has taken 10.219." in err
        assert "choosing again" in err
        found = [one for name in JOBS for one in networks(engine, name)]
        assert len(found) == 2
        assert not [pair for pair in combinations(found, 2) if pair[0].overlaps(pair[1])]
    finally:
        slow.kill()
        for machine, name in zip((first, second), JOBS, strict=True):
            machine.run("env", "down", name)
    assert [networks(engine, name) for name in JOBS] == [[], []]


def test_what_was_killed_when_it_had_its_networks_goes_on_or_is_removed(
    first: Machine, second: Machine, engine: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for goes_on in (True, False):
        with monkeypatch.context() as patch:
            patch.setenv("KILLED", "1")
            first.run("deploy", NAME, "--no-verify", code=-signal.SIGKILL)
        had = networks(engine, NAME)
        assert len(had) == 1
        if goes_on:
            first.deploy()
            assert len(networks(engine, NAME)) == 1
        else:
            (listed,) = second.json("env", "list")["found"]
            assert listed["identity"]
            assert "something of it is in the engine" in second.run("status", NAME, code=2)[1]
        second.run("destroy", NAME, "--yes")
        assert left(engine) == []
