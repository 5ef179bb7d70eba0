"""`opsctl plan --output compose` says what runs, and Compose's own parser takes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker import DockerClient

from opsctl.targets.docker import naming
from tests.e2e.conftest import Deployed
from tests.support import compose

MIB = 1024**2


@pytest.fixture(scope="module")
def written(contained: Deployed) -> str:
    return contained.run("plan", contained.name, "--target", "docker", "-o", "compose").stdout


@pytest.fixture(scope="module")
def file(written: str) -> Mapping[str, Any]:
    # Compose reads a doubled dollar as one.
    return dict(yaml.safe_load(written.replace("$$", "$")))


@pytest.fixture
def engine(contained: Deployed) -> Iterator[DockerClient]:
    client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
    yield client
    client.close()


def test_it_says_of_every_container_what_the_engine_says(
    contained: Deployed, file: Mapping[str, Any], engine: DockerClient
) -> None:
    running = {c.name: c.attrs for c in engine.containers.list(all=True)}
    said = {entry["container_name"]: entry for entry in file["services"].values()}
    assert set(said) == set(running)
    for name, entry in said.items():
        attrs = running[name]
        host, config = attrs["HostConfig"], attrs["Config"]
        variables = dict(v.split("=", 1) for v in config["Env"])
        assert {k: variables.get(k) for k in entry.get("environment", {})} == entry.get(
            "environment", {}
        ), name
        assert {k: config["Labels"].get(k) for k in entry["labels"]} == entry["labels"], name
        assert attrs["Image"] == entry["image"], name
        assert config["User"] == entry["user"], name
        assert config["Cmd"] == entry["command"], name
        assert config["StopSignal"] == entry["stop_signal"], name
        assert f"{config['StopTimeout']}s" == entry["stop_grace_period"], name
        probe = ["NONE"] if entry["healthcheck"].get("disable") else entry["healthcheck"]["test"]
        assert config["Healthcheck"]["Test"] == probe, name
        assert host["ReadonlyRootfs"] is entry["read_only"], name
        assert host["CapDrop"] == entry["cap_drop"], name
        assert (host["CapAdd"] or []) == entry.get("cap_add", []), name
        assert host["SecurityOpt"] == entry["security_opt"], name
        assert host["RestartPolicy"]["Name"] == entry["restart"], name
        assert host["CpuShares"] == entry["cpu_shares"], name
        assert host["PidsLimit"] == entry["pids_limit"], name
        assert f"{host['Memory'] // MIB}m" == entry["mem_limit"], name
        assert f"{host['ShmSize'] // MIB}m" == entry["shm_size"], name
        reserved = host["MemoryReservation"] // MIB
        assert (f"{reserved}m" if reserved else None) == entry.get("mem_reservation"), name
        assert host["OomScoreAdj"] == entry.get("oom_score_adj", 0), name
        assert host["CpusetCpus"] == entry.get("cpuset", ""), name
        assert host["LogConfig"]["Type"] == entry["logging"]["driver"], name
        assert host["LogConfig"]["Config"] == entry["logging"]["options"], name
        tmpfs = {f"{path}:{options}" for path, options in (host.get("Tmpfs") or {}).items()}
        assert tmpfs == set(entry.get("tmpfs", ())), name
        mounts = {(m["Name"], m["Destination"], m["RW"]) for m in attrs["Mounts"]}
        assert mounts == {
            (v["source"], v["target"], not v["read_only"]) for v in entry["volumes"]
        }, name
        attached = {
            network: (of["IPAMConfig"] or {}).get("IPv4Address", "")
            for network, of in attrs["NetworkSettings"]["Networks"].items()
        }
        wanted = {n: a.get("ipv4_address", "") for n, a in entry.get("networks", {}).items()}
        assert attached == (wanted or {"none": ""}), name


def test_it_has_the_networks_and_volumes_of_the_engine(
    contained: Deployed, file: Mapping[str, Any], engine: DockerClient
) -> None:
    mine = {"label": f"{naming.ENVIRONMENT}={contained.name}"}
    networks = {n.name: n.attrs for n in engine.networks.list(filters=mine)}
    assert set(networks) == set(file["networks"])
    for name, entry in file["networks"].items():
        (pool,) = networks[name]["IPAM"]["Config"]
        (said,) = entry["ipam"]["config"]
        assert pool == {
            "Subnet": said["subnet"],
            "IPRange": said["ip_range"],
            "Gateway": said["gateway"],
        }
        assert networks[name]["Internal"] is entry["internal"]
    volumes = {v.name: v.attrs for v in engine.volumes.list(filters=mine)}
    # What opsctl itself keeps with the environment is no part of what runs.
    assert set(volumes) - {naming.state(contained.name)} == set(file["volumes"])
    for name, entry in file["volumes"].items():
        assert (volumes[name]["Options"] or {}) == entry.get("driver_opts", {})
        assert volumes[name]["Labels"] == entry["labels"]


def test_the_parser_of_compose_takes_it_without_a_word(
    contained: Deployed, written: str, file: Mapping[str, Any], tmp_path: Path
) -> None:
    if why := compose.obtain():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have it: {why}")
        pytest.skip(why)
    path = tmp_path / "compose.yaml"
    path.write_text(written)
    code, normal, said = compose.config(path)
    assert (code, said) == (0, "")
    services = yaml.safe_load(normal)["services"]
    assert set(services) == set(file["services"])
    path.write_text(written.replace("pids_limit:", "pids-limit:"))
    code, _, said = compose.config(path)
    assert code != 0
    assert "pids-limit" in said


def test_no_secret_is_in_it(contained: Deployed, written: str) -> None:
    secrets = contained.secrets().values()
    assert len(secrets) > 5
    assert not [s for s in secrets if s in written or json.dumps(s)[1:-1] in written]
