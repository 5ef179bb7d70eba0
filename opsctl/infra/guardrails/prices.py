"""List prices of AWS, for an estimate: on demand, Linux, PostgreSQL, in USD, without taxes.

As AWS listed them for us-east-1 in January 2025, typed in by hand; other regions are reckoned
by what an m5.large costs there. Prices change, discounts are a firm's own, and what depends on use
(traffic, requests, what lies in buckets and logs) is not in them: a cost from here is an
estimate, and never a bill.
"""

from __future__ import annotations

import re

AS_OF = "2025-01"
SOURCES = (
    "Amazon EC2, on-demand pricing: https://aws.amazon.com/ec2/pricing/on-demand/",
    "Amazon EBS pricing: https://aws.amazon.com/ebs/pricing/",
    "Amazon RDS for PostgreSQL pricing: https://aws.amazon.com/rds/postgresql/pricing/",
    "Amazon VPC pricing: https://aws.amazon.com/vpc/pricing/",
)
HOURS_YEAR = 8_760
MONTHS_YEAR = 12

REGIONS: dict[str, float] = {
    "us-east-1": 1.0,
    "us-east-2": 1.0,
    "us-west-1": 1.17,
    "us-west-2": 1.0,
    "ca-central-1": 1.12,
    "eu-west-1": 1.12,
    "eu-west-2": 1.16,
    "eu-west-3": 1.17,
    "eu-central-1": 1.20,
    "eu-north-1": 1.07,
    "ap-south-1": 1.06,
    "ap-southeast-1": 1.25,
    "ap-southeast-2": 1.25,
    "ap-northeast-1": 1.30,
    "sa-east-1": 1.60,
}
"""Against us-east-1: an m5.large there by one here."""

FAMILIES: dict[str, float] = {
    "t3": 0.0832,
    "t3a": 0.0752,
    "t4g": 0.0672,
    "m5": 0.096,
    "m5a": 0.086,
    "m5n": 0.119,
    "m5zn": 0.1652,
    "m6i": 0.096,
    "m6a": 0.0864,
    "m6g": 0.077,
    "m7i": 0.1008,
    "m7a": 0.11592,
    "m7g": 0.0816,
    "c5": 0.085,
    "c5a": 0.077,
    "c5n": 0.108,
    "c6i": 0.085,
    "c6a": 0.0765,
    "c6g": 0.068,
    "c6in": 0.1134,
    "c7i": 0.08925,
    "c7a": 0.10264,
    "c7g": 0.0725,
    "r5": 0.126,
    "r5n": 0.149,
    "r6i": 0.126,
    "r6a": 0.1134,
    "r6g": 0.1008,
    "r7i": 0.1323,
    "r7g": 0.1071,
    "x2iezn": 0.417,
    "z1d": 0.186,
}
"""USD an hour of size `large`; the other sizes of a family cost in proportion."""
METAL: dict[str, int] = {
    "m5": 24,
    "m5n": 24,
    "m5zn": 12,
    "m6i": 32,
    "c5": 24,
    "c5n": 18,
    "c6i": 32,
    "c6in": 32,
    "r5": 24,
    "r6i": 32,
    "x2iezn": 12,
    "z1d": 12,
}
"""Size of a family's `metal`, in `xlarge`; where a family has several they name it."""
_SIZES = {"nano": 1 / 16, "micro": 1 / 8, "small": 1 / 4, "medium": 1 / 2, "large": 1.0}
_XLARGE = re.compile(r"^(?:metal-)?([0-9]*)xl(?:arge)?$")

DEDICATED = 1.10
"""About what a dedicated instance costs by a shared one."""
DEDICATED_REGION_HOUR = 2.0
"""USD an hour and region in which there is any dedicated instance."""

GIB_MONTH: dict[str, float] = {
    "gp3": 0.08,
    "gp2": 0.10,
    "io1": 0.125,
    "io2": 0.125,
    "st1": 0.045,
    "sc1": 0.015,
    "standard": 0.05,
}
IOPS_MONTH: dict[str, float] = {"gp3": 0.005, "io1": 0.065, "io2": 0.065}
INCLUDED_IOPS: dict[str, int] = {"gp3": 3_000}
GP3_MIBS_MONTH = 0.04
"""USD for a MiB/s above the 125 that gp3 includes."""
GP3_INCLUDED_MIBS = 125

DATABASES: dict[str, float] = {
    "db.t3": 0.145,
    "db.t4g": 0.129,
    "db.m5": 0.178,
    "db.m6g": 0.159,
    "db.m6i": 0.178,
    "db.m7g": 0.168,
    "db.r5": 0.25,
    "db.r6g": 0.225,
    "db.r6i": 0.25,
    "db.r7g": 0.239,
}
"""USD an hour of size `large`, PostgreSQL in one zone; Multi-AZ costs twice."""
DATABASE_GIB_MONTH: dict[str, float] = {"gp2": 0.115, "gp3": 0.115, "io1": 0.125, "io2": 0.125}

HOUR: dict[str, float] = {
    "aws:ec2/natGateway:NatGateway": 0.045,
    "aws:ec2/eip:Eip": 0.005,
}
"""USD an hour of what costs by being there."""
ENDPOINT_HOUR = 0.01
"""USD an hour of an interface endpoint, in each zone."""
MONTH: dict[str, float] = {
    "aws:kms/key:Key": 1.0,
    "aws:secretsmanager/secret:Secret": 0.40,
    "aws:route53/zone:Zone": 0.50,
    "aws:route53/healthCheck:HealthCheck": 0.75,
    "aws:cloudwatch/metricAlarm:MetricAlarm": 0.10,
}
"""USD a month of what costs by being there."""


def instance_hour(kind: str) -> float | None:
    """Return what an instance type costs, USD an hour in us-east-1; None where not known."""
    family, _, size = kind.partition(".")
    return _sized(FAMILIES.get(family), size, METAL.get(family))


def database_hour(kind: str) -> float | None:
    """Return what a database class costs, USD an hour in us-east-1; None where not known."""
    family, _, size = kind.rpartition(".")
    return _sized(DATABASES.get(family), size, None)


def _sized(large: float | None, size: str, metal: int | None) -> float | None:
    if large is None:
        return None
    if size in _SIZES:
        return large * _SIZES[size]
    if size == "metal":
        return None if metal is None else large * 2 * metal
    found = _XLARGE.match(size)
    return large * 2 * int(found[1] or 1) if found else None
