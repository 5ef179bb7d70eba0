"""The engines of two hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
from docker import DockerClient

from tests.support.second_host import SecondHost


@pytest.fixture(scope="session")
def engines(other_host: SecondHost) -> Iterator[tuple[DockerClient, DockerClient]]:
    """The engines of this host and of the other."""
    found = [
        docker.DockerClient(base_url=address)
        for address in (os.environ["DOCKER_HOST"], other_host.engine.address)
    ]
    yield found[0], found[1]
    for client in found:
        client.close()
