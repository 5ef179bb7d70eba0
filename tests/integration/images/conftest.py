"""What tests of images share: a real engine, and every image in it, built by the command."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
from docker import DockerClient
from docker.models.containers import Container

from opsctl.images.results import BuiltImage, ImagesBuilt
from tests.support import engine as engines
from tests.support.command import opsctl
from tests.support.engine import Dockerd
from tests.support.servers import folder, wait_for

LONG = 120.0


@dataclass(frozen=True)
class Engine:
    """A running engine and a client of it."""

    dockerd: Dockerd
    client: DockerClient

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.dockerd.address


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Run an engine for all tests of this worker."""
    why = engines.lacking()
    if why:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have an engine: {why}")
        pytest.skip(why)
    with engines.running() as dockerd:
        client = docker.DockerClient(base_url=dockerd.address, timeout=LONG)
        yield Engine(dockerd, client)
        client.close()


@pytest.fixture(scope="session")
def built(engine: Engine) -> dict[str, BuiltImage]:
    """Build every image by the command, as a user does."""
    with folder() as home:
        done = opsctl("images", "build", "--output", "json", engine=engine.address, state=home)
    assert done.returncode == 0, done.stderr
    return {image.name: image for image in ImagesBuilt.model_validate_json(done.stdout).images}


def run(engine: Engine, image: str, *command: str, **options: Any) -> str:
    """Run a command in an image to its end as a target would; return what it printed."""
    output: bytes = engine.client.containers.run(
        image,
        list(command),
        remove=True,
        read_only=True,
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        tmpfs={"/tmp": "mode=1777"},
        stderr=True,
        **options,
    )
    return output.decode()


def started(engine: Engine, image: str, command: list[str] | None, **options: Any) -> Container:
    """Start a container of an image as a target would, and look at its health every 0.5 s."""
    health = {"interval": 500_000_000, "timeout": 5_000_000_000, "retries": 60}
    return engine.client.containers.run(
        image,
        command,
        detach=True,
        read_only=True,
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        tmpfs={"/tmp": "mode=1777"},
        healthcheck=health,
        **options,
    )


def healthy(container: Container) -> None:
    """Wait until the engine says that a container is healthy."""

    def is_healthy() -> bool:
        container.reload()
        state = container.attrs["State"]
        if state["Status"] == "exited":
            raise RuntimeError(f"it ended: {container.logs().decode()[-2000:]}")
        return bool(state["Health"]["Status"] == "healthy")

    try:
        wait_for(is_healthy, container.image.tags[0], timeout_s=LONG)
    except TimeoutError as error:
        log = container.attrs["State"]["Health"]["Log"][-2:]
        error.add_note(json.dumps(log) + container.logs().decode()[-2000:])
        raise
