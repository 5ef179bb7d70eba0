"""A firm with an environment in a cloud whose hosts answer, on networks that are reached."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from opsctl.model.tiers import LatencyTier
from tests.support import cloud_host
from tests.support.aws.firm import Firm, firm
from tests.support.project import PROFILE

_ALL = IPv4Network("10.216.0.0/15")
NETWORK = IPv4Network((int(_ALL[0]) + (os.getpid() % 32) * 4096, 20))
"""That sites take theirs from; another for each worker of a test run."""
HOSTS = [IPv4Interface((NETWORK[site * 1024 + 10], NETWORK.prefixlen)) for site in range(3)]
"""Of sites a, b and witness; nothing lies between their networks, as if they were one."""
AWS = {
    "cidr": str(NETWORK),
    "operators": [str(_ALL)],
    "user": cloud_host.USER,
    "profile": PROFILE,
}


@contextlib.contextmanager
def in_cloud(**settings: Any) -> Iterator[Firm]:
    """Yield a firm that has deployed nothing: `cloud` of the daily tier, with these settings."""
    with firm() as made:
        made.put_profile(LatencyTier.DAILY)
        made.write_cloud(aws=AWS, **settings)
        yield made
