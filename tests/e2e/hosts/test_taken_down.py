"""The last of these tests: a host is lost, and what it had is taken down once it is back."""

from __future__ import annotations

from typing import Any

from docker import DockerClient

from opsctl.targets.docker import naming
from tests.e2e.conftest import Deployed
from tests.e2e.hosts.conftest import HANDED_OVER_S, led_by
from tests.support.second_host import SecondHost
from tests.support.servers import wait_for

TAKEN_OVER_S = 60.0


def left(engine: DockerClient) -> list[Any]:
    mine = {"label": f"{naming.ENVIRONMENT}=apart"}
    return [
        *engine.containers.list(all=True, filters=mine),
        *engine.networks.list(filters=mine),
        *engine.volumes.list(filters=mine),
    ]


def test_a_host_that_is_lost_is_succeeded_named_and_taken_down_once_it_is_back(
    apart: Deployed, other_host: SecondHost, engines: tuple[DockerClient, DockerClient]
) -> None:
    here, there = engines
    wait_for(lambda: led_by(apart, "b"), "b to lead", HANDED_OVER_S)
    other_host.lose()
    wait_for(lambda: led_by(apart, "a"), "a to lead", TAKEN_OVER_S)
    status = apart.json("status", "apart", check=False)
    of_b = [s for s in status["services"] if s["site"] == "b"]
    assert {s["state"] for s in of_b} == {"failed"}
    assert all("its host is out of reach" in s["detail"] for s in of_b)
    before = {c.id for c in here.containers.list()}
    done = apart.run("deploy", "apart", "--set", "log_level=debug", "--no-verify", check=False)
    assert done.returncode == 1
    assert "it is the host of b, and nothing was changed on any host" in done.stderr
    assert {c.id for c in here.containers.list()} == before
    done = apart.run("destroy", "apart", "--yes", check=False)
    assert done.returncode == 1
    assert "what b had is still on ssh://" in done.stderr
    assert [one.name for one in left(here)] == [naming.state("apart")]  # of what is left there
    other_host.engine.start()
    assert left(there)
    apart.run("destroy", "apart", "--yes")
    assert not left(there)
    assert not left(here)
