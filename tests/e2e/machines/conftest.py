"""Two machines and one engine, in which either has deployed the same few services."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker import DockerClient
from docker.errors import APIError

from opsctl.targets.docker import naming
from tests.e2e.machines.machine import NAME, PROJECT, Machine
from tests.support.engine import Dockerd
from tests.support.servers import folder

OURS = {"label": f"{naming.ENVIRONMENT}={NAME}"}


@pytest.fixture(autouse=True)
def state(with_images: Dockerd) -> None:
    """Nothing is deployed here but what a test deploys."""


@pytest.fixture
def engine(with_images: Dockerd) -> Iterator[DockerClient]:
    """Return a client of the engine; nothing of the environment is left in it afterwards."""
    client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
    yield client
    for container in client.containers.list(all=True, filters=OURS, ignore_removed=True):
        with contextlib.suppress(APIError):  # a lock removes itself
            container.remove(force=True)
    for network in client.networks.list(filters=OURS):
        network.remove()
    for volume in client.volumes.list(filters=OURS):
        volume.remove(force=True)
    client.close()


@pytest.fixture
def project() -> Iterator[Path]:
    """Return the checkout that every machine has."""
    with folder() as home:
        for name, text in PROJECT.items():
            (home / name).write_text(text)
        yield home


@pytest.fixture
def first(engine: DockerClient, project: Path) -> Iterator[Machine]:
    """Return a machine that knows nothing."""
    with folder() as home:
        yield Machine(home, project)


@pytest.fixture
def second(engine: DockerClient, project: Path) -> Iterator[Machine]:
    """Return another one."""
    with folder() as home:
        yield Machine(home, project)
