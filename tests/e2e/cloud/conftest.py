"""A firm whose environment in a cloud gets a host that answers, with a network of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from opsctl.model.tiers import LatencyTier
from tests.e2e.conftest import needed
from tests.support import cloud_host, engine
from tests.support.aws.firm import Firm
from tests.support.aws.firm import firm as firms
from tests.support.project import PROFILE

NETWORK = IPv4Network((int(IPv4Network("10.216.0.0/15")[0]) + (os.getpid() % 120) * 1024, 22))
"""Of the site; another for each worker of a test run."""
AWS = {
    "cidrs": {"a": str(NETWORK)},
    "operators": ["10.216.0.0/15"],
    "user": cloud_host.USER,
    "profile": PROFILE,
}


@pytest.fixture(autouse=True)
def state(with_images: engine.Dockerd) -> None:
    """Nothing is deployed here but what a test deploys."""


@pytest.fixture
def firm() -> Iterator[Firm]:
    """A firm that has deployed nothing."""
    needed(cloud_host.lacking())
    with firms() as made:
        made.put_profile(LatencyTier.DAILY)
        made.write_cloud(aws=AWS)
        yield made
