"""The firewall of a profile, loaded and listed by the real nft."""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import ip_network
from random import Random

import pytest

from opsctl.model.profile.firewall import Allowed, rules


@pytest.mark.skipif(
    not os.environ.get("CI") and shutil.which("nft") is None, reason="nft is not installed here"
)
def test_nft_lists_the_rules_as_they_were_written() -> None:
    random = Random(7)
    allowed = [Allowed(port=443), Allowed(port=1, nics=("eth10", "eth2", "ens1f0", "eth1"))]
    for port in range(2, 200):
        sources = tuple(
            f"10.0.{random.randrange(8)}.{random.choice((0, 1, 128))}/{bits}"
            for bits in random.choices((32, 32, 32, 30, 25, 24, 23, 8), k=random.randrange(1, 5))
        )
        networks = tuple(str(ip_network(each, strict=False)) for each in sources)
        allowed.append(Allowed(port=port, protocol="udp", sources=networks))
    table = rules(["eth0", "eth1"], ["192.168.1.1", "10.0.0.0/8", "10.16.0.1"], allowed)
    # In a network namespace of its own: the rules of this machine are not touched.
    listed = subprocess.run(
        ["unshare", "--net", "--map-root-user", "sh", "-c", "nft -f - && nft list ruleset"],
        input=table,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert listed.stdout == table
