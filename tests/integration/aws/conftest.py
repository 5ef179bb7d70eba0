"""A server of AWS and the resources that many cases build upon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.aws.world import World
from tests.support.aws.server import AwsServer, aws_server


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    """One server for the tests of a file: moto keeps some of what they delete."""
    with aws_server() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def world(server: AwsServer) -> World:
    """What the cases refer to."""
    return World(server)
