"""What a service may use: given as the model says, refused where it cannot be, told when short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker import DockerClient

from opsctl.model.resources import resources
from opsctl.model.tiers import LatencyTier
from opsctl.targets.docker import naming
from tests.e2e.conftest import Deployed
from tests.support.servers import wait_for

MIB = 1024**2
SHORT_S = 60.0


@pytest.fixture
def engine(contained: Deployed) -> Iterator[DockerClient]:
    client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
    yield client
    client.close()


def test_each_has_the_limits_of_the_model_and_none_a_quota(
    contained: Deployed, engine: DockerClient
) -> None:
    found = engine.containers.list(filters={"label": naming.SERVICE})
    assert len(found) > 20
    for one in found:
        name, host = one.labels[naming.SERVICE].partition("@")[0], one.attrs["HostConfig"]
        given = resources(name, LatencyTier.INTRADAY)
        assert host["Memory"] == given.memory_mb * MIB, name
        assert host["MemoryReservation"] == given.reserved_mb * MIB, name
        assert host["ShmSize"] == given.shm_mb * MIB, name
        assert host["PidsLimit"] == given.processes, name
        assert host["OomScoreAdj"] == given.oom_score, name
        assert (host["CpuQuota"], host["NanoCpus"], host["CpusetCpus"]) == (0, 0, ""), name


def test_what_the_engine_cannot_give_is_refused_before_anything_changes(
    contained: Deployed, engine: DockerClient
) -> None:
    before = {c.id for c in engine.containers.list(all=True)}
    done = contained.run(
        *("deploy", contained.name, "--target", "docker", "--no-verify"),
        *("--set", "services.data.cpus=0-4999"),
        *("--set", "services.desk.memory_mb=16000000"),
        *("--set", "services.valkey.realtime=1"),
        check=False,
    )
    assert done.returncode == 2
    for word in ("services.data.cpus", "services.desk.memory_mb", "services.valkey.realtime"):
        assert f"trading:{word}: " in done.stderr
    done = contained.run(
        *("deploy", contained.name, "--target", "docker", "--no-verify"),
        *("--set", "services.data.huge_pages=100000000"),
        check=False,
    )
    assert done.returncode == 2
    assert "trading:services.data.huge_pages: " in done.stderr
    assert {c.id for c in engine.containers.list(all=True)} == before


def test_who_is_killed_for_lack_of_memory_is_told_as_that_and_mended(
    contained: Deployed, engine: DockerClient
) -> None:
    desk = engine.containers.get(naming.container(contained.name, "desk@b"))
    desk.stop()
    desk.update(mem_limit="24m", memswap_limit="24m")
    desk.start()

    def told(command: str) -> dict[str, Any]:
        said = contained.json(command, contained.name, check=False)
        assert said["verdict"] == "unhealthy"
        (found,) = [s for s in said["services"] if (s["name"], s["site"]) == ("desk", "b")]
        return dict(found)

    def short() -> bool:
        now = told("status")
        return now["state"] == "failed" and "killed for lack of memory" in now["detail"]

    wait_for(short, "the engine to kill it for lack of memory", SHORT_S)
    assert "started again" in told("status")["detail"]
    assert "killed for lack of memory" in told("health")["detail"]
    planned = contained.json("plan", contained.name, "--target", "docker")
    (change,) = planned["changes"]
    assert (change["name"], change["action"]) == ("desk@b", "start")
    assert "lack of memory" in change["reason"]
    contained.run("deploy", contained.name, "--target", "docker", "--no-verify")
    assert contained.json("status", contained.name)["verdict"] == "healthy"
