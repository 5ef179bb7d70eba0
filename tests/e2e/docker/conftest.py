"""An environment in containers, as its engine and its target have it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import docker
import pytest
from docker import DockerClient

from opsctl.deploy import records
from opsctl.targets import open_target
from opsctl.targets.docker.target import DockerTarget
from tests.e2e.conftest import Deployed


@pytest.fixture
def client(contained: Deployed) -> Iterator[DockerClient]:
    """Return a client of the engine."""
    found = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
    yield found
    found.close()


@pytest.fixture
def target(contained: Deployed) -> DockerTarget:
    """Return the target, as a drill has it."""
    environment = records.environment(contained.name)
    assert environment is not None
    return cast("DockerTarget", open_target(environment))
