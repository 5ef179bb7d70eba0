"""A firm whose environment in a cloud gets a host that answers, with a network of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import needed
from tests.support import cloud_host, engine
from tests.support.aws.firm import Firm
from tests.support.clouds import in_cloud


@pytest.fixture(autouse=True)
def state(with_images: engine.Dockerd) -> None:
    """Nothing is deployed here but what a test deploys."""


@pytest.fixture
def firm() -> Iterator[Firm]:
    """A firm that has deployed nothing."""
    needed(cloud_host.lacking())
    with in_cloud() as made:
        yield made
