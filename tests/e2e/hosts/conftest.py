"""The engines of two hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
from docker import DockerClient

from tests.e2e.conftest import Deployed
from tests.support.second_host import SecondHost

HANDED_OVER_S = 60.0
"""Within which a site that stands by is ready to lead, and leads."""


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


def led_by(apart: Deployed, site: str) -> bool:
    """Return whether a site leads: a planned failover to it is refused for that, or made."""
    done = apart.run("failover", "apart", "--to", site, "--output", "json", check=False)
    return '"already"' in done.stdout
