"""Environments on AWS whose declarations are tested: pairs of tiers, and what varies with them."""

from __future__ import annotations

from typing import Any

from opsctl.model.aws import AwsSettings
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from stacks.aws.design import Design, design
from stacks.aws.places import Discovered
from stacks.aws.ports import PortUse

KEY = "arn:aws:kms:us-east-1:123456789012:key/0123abcd-0000-4000-8000-0123456789ab"
PORTS = (
    PortUse(port=7400, at="trading", sources=("trading", "witness"), why="links, mutual TLS"),
    PortUse(port=7400, at="witness", sources=("trading",), why="links, mutual TLS"),
    PortUse(port=8443, at="trading", sources=("people",), why="dashboard"),
    PortUse(port=5432, at="database", sources=("trading",), why="book of record"),
)
APART = {"a": "us-east-1", "b": "us-west-2", "witness": "us-east-2"}
IMAGES = dict.fromkeys(APART.values(), "ami-0123456789abcdef0")


def made(tier: str, dr: str, **more: Any) -> Design:
    least = {
        "account": "123456789012",
        "owner": "platform",
        "region": "us-east-1",
        "people": ["10.1.0.0/16"],
        "tell": ["oncall@example.com"],
    }
    environment = Environment(name="books", tier=LatencyTier(tier), dr=DrTier(dr))
    return design(environment, AwsSettings(**{**least, **more}), PORTS, Discovered(images=IMAGES))


DESIGNS = {
    "weekly-cold": made("weekly", "cold", nat="none", backup_region="none"),
    "daily-warm": made(
        "daily",
        "warm",
        region="",
        regions=APART,
        database={"kind": "rds"},
        ci={"repository": "firm/trading"},
    ),
    "intraday-hot": made("intraday", "hot", database={"kind": "rds"}),
    "hft-hot": made("hft", "hot"),
    "ephemeral": made(
        "daily",
        "hot",
        ephemeral=True,
        expires="2030-01-01",
        database={"kind": "rds"},
        keys={"us-east-1": KEY},
    ),
}
