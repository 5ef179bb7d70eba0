"""The parts of a design, as values; `stacks.aws.design` makes them."""

from __future__ import annotations

from typing import Literal

from opsctl.model.value import Value
from stacks.aws.cidr import Share
from stacks.aws.machines import Machine
from stacks.aws.places import Place
from stacks.aws.ports import SecurityGroup


class SiteNetwork(Value):
    """A VPC: one site."""

    site: str
    place: Place
    share: Share
    nat: bool
    database: bool
    """Whether a managed database is in it, or its replica."""
    endpoints: tuple[str, ...]
    """Services of AWS that are reached without leaving its network."""
    groups: tuple[SecurityGroup, ...]


class Peering(Value):
    """A way between the networks of two sites."""

    requester: str
    accepter: str
    across_regions: bool

    @property
    def name(self) -> str:
        """`a-b`."""
        return f"{self.requester}-{self.accepter}"


class HostPart(Value):
    """A host."""

    name: str
    """`trading-a`."""
    site: str
    role: str
    region: str
    zone: str
    address: str
    image: str
    machine: Machine

    @property
    def group(self) -> str:
        """The name of its security group."""
        return f"{self.site}-{self.role}"


class Bucket(Value):
    """A bucket, and where it is copied to."""

    use: Literal["data", "backups"]
    name: str
    region: str
    replica: str = ""
    replica_region: str = ""
    lock_days: int = 0
    """Days for which nobody can delete a version; 0: no lock."""


class DatabasePart(Value):
    """A managed PostgreSQL."""

    name: str
    site: str
    replica_site: str = ""
    """Where it has a copy in another region; empty: nowhere."""
    type: str
    version: str
    storage_gb: int
    multi_az: bool
    backup_days: int


class FailoverRecord(Value):
    """A name that leads to the first site whose host is well."""

    name: str
    """`desk.NAME.internal`."""
    site: str
    address: str
    order: Literal["PRIMARY", "SECONDARY"]


class CiPart(Value):
    """Who may make ephemeral environments."""

    repository: str
    issuer: str
    known_issuer: bool
    regions: tuple[str, ...]


class Budget(Value):
    """Spending of a month after which people are told."""

    usd_month: int
    why: str
