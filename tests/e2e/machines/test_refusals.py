"""What a deploy in containers is refused for, in which words, before anything is made."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest
from docker import DockerClient

from tests.e2e.machines.machine import FEW, NAME, PROJECT, Machine
from tests.e2e.machines.test_custody import left
from tests.integration.images.test_refusals import fake_engine
from tests.support.servers import folder

DEPLOY = ("deploy", NAME, "--no-verify")
ABSENT = "localhost:1/none@sha256:" + "0" * 64


def refused(machine: Machine, code: int = 1) -> str:
    """Deploy; return what it said, after it was seen that this machine knows nothing new."""
    _, err = machine.run(*DEPLOY, code=code)
    assert not machine.copy.joinpath("identity").exists()
    return err


def test_no_engine(first: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    err = refused(first)
    assert "no Docker Engine answers at unix:///nowhere/docker.sock" in err
    assert "hint: start one" in err


def test_an_engine_that_is_too_old(first: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_engine({"Version": "19.03.15", "ApiVersion": "1.40"}) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        err = refused(first)
    assert "is Docker 19.03.15: too old" in err
    assert "Docker 20.10 or later" in err


def test_no_permission_on_the_socket(first: Machine) -> None:
    # The interpreter may be root's alone: so root, without the right to pass over modes.
    with folder() as home, socket.socket(socket.AF_UNIX) as other:
        other.bind(str(home / "docker.sock"))
        os.chown(home / "docker.sock", 65534, 65534)
        (home / "docker.sock").chmod(0o600)
        done = subprocess.run(
            ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *FEW, *DEPLOY],
            cwd=first.project,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "OPSCTL_STATE": str(first.state),
                "DOCKER_HOST": f"unix://{home / 'docker.sock'}",
            },
        )
    assert done.returncode == 1
    assert "no permission on the engine's socket" in done.stderr
    assert "usermod -aG docker" in done.stderr


def test_a_disk_of_the_engine_that_is_full(
    first: Machine, engine: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEEDED", str(10**18))
    err = refused(first)
    assert "the disk of the engine" in err
    assert "needed are 1000000000.0 GB" in err
    assert "docker image prune" in err
    assert left(engine) == []


def test_an_image_that_does_not_exist(first: Machine, engine: DockerClient) -> None:
    file = first.project / f"Pulumi.{NAME}.yaml"
    file.write_text(f"{PROJECT[file.name]}  trading:images:\n    use:\n      valkey: {ABSENT}\n")
    err = refused(first)
    assert f"{ABSENT} cannot be had" in err
    assert "hint: see that the engine reaches the registry" in err
    assert left(engine) == []


@contextlib.contextmanager
def not_built(engine: DockerClient, name: str) -> Iterator[None]:
    """Take the tags of an image away for a while, as a new commit does."""
    held = [image for image in engine.images.list() if name in "".join(image.tags)]
    tags = [tag for image in held for tag in image.tags]
    ids = [image.id for image in held]
    try:
        for tag, id_ in zip(tags, ids, strict=True):
            engine.images.get(id_).tag("set-aside", name)
            engine.images.remove(tag)
        yield
    finally:
        for tag, id_ in zip(tags, ids, strict=True):
            engine.images.get(id_).tag(*tag.rsplit(":", 1))
        engine.images.remove(f"set-aside:{name}")


def test_an_image_that_was_not_built(first: Machine, engine: DockerClient) -> None:
    with not_built(engine, "valkey"):
        err = refused(first, code=2)
        assert "not built from this commit: valkey" in err
        assert "opsctl images build valkey" in err
        assert left(engine) == []


def test_what_runs_is_looked_at_where_the_next_was_not_built(
    first: Machine, engine: DockerClient
) -> None:
    first.deploy()
    with not_built(engine, "valkey"):
        assert first.json("status", NAME)["verdict"] == "healthy"
        assert first.json("health", NAME)["verdict"] == "healthy"
        assert "Ready to accept connections" in first.run("logs", NAME, "valkey")[0]
        assert "not built from this commit: valkey" in first.run("plan", NAME, code=2)[1]
    first.run("destroy", NAME, "--yes")
