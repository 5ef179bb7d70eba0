"""What an environment says of its cloud: the account, places, hosts and data on AWS. Pure.

What nobody says has a default by tier, chosen in `stacks.aws`; a setting here is what a firm
wants otherwise. Secrets never stand here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from opsctl.model.resources import Whole
from opsctl.model.value import Value

_BUCKET = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()/-]+)?(\?[^\s#]+)?"
_KMS = (
    r"awskms://(alias/[A-Za-z0-9/_-]+|(mrk-)?[0-9a-f-]{32,36}"
    r"|/arn:aws:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+)\?[^\s#]*region=[a-z0-9-]+[^\s#]*"
)
SITES = ("a", "b", "witness")
"""Every site that an environment may have."""

PRIVATE = tuple(IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918: what a VPC may use without owning it."""
INSIDE = {
    IPv4Network("172.17.0.0/16"): "the bridge of every Docker engine",
    IPv4Network("10.219.0.0/16"): "what target docker takes its own networks from",
}
"""Networks that a host looks for inside itself, and never finds outside."""


class Role(StrEnum):
    """What a host is there for."""

    TRADING = "trading"
    """Runs the whole chain of a site."""
    WITNESS = "witness"
    """Only votes."""


def _network(value: Any) -> Any:
    try:
        found = IPv4Network(value)
    except ValueError as fault:
        raise ValueError(f"must be an IPv4 network, such as 10.64.0.0/16: {fault}") from fault
    return str(found)


def _own(value: Any) -> Any:
    text = _network(value)
    network = IPv4Network(text)
    if not any(network.subnet_of(one) for one in PRIVATE):
        known = ", ".join(str(one) for one in PRIVATE)
        raise ValueError(f"{text} is not private: take one within {known}")
    for one, whose in INSIDE.items():
        if network.overlaps(one):
            raise ValueError(f"{text} overlaps {one}, {whose}")
    return text


def _bucket(value: Any) -> Any:
    """`s3://BUCKET/PREFIX`, with the engine's own options behind a `?`; empty for none."""
    if value and not re.fullmatch(_BUCKET, str(value)):
        raise ValueError(f"{value} is no place in a bucket: write s3://BUCKET/PREFIX")
    return value


def _kms(value: Any) -> Any:
    """`awskms://`, then an alias, an id or an ARN, with options; empty for none."""
    if value and not re.fullmatch(_KMS, str(value)):
        raise ValueError(
            f"{value} is no key of KMS: write awskms://alias/NAME?region=REGION, "
            "awskms://ID?region=REGION, or awskms:///ARN?region=REGION"
        )
    return value


def _within(shortest: int, longest: int) -> Any:
    def check(value: Any) -> Any:
        text = _own(value)
        if not shortest <= IPv4Network(text).prefixlen <= longest:
            raise ValueError(f"{text} must be between /{shortest} and /{longest}")
        return text

    return BeforeValidator(check)


def _not_everywhere(value: Any) -> Any:
    text = _network(value)
    if IPv4Network(text).prefixlen < 8:
        raise ValueError(f"{text} is as good as everywhere: name the networks of the firm")
    return text


def _day(value: Any) -> Any:
    """A day, as YAML or a flag has it; empty for none."""
    try:
        return value and date.fromisoformat(str(value)).isoformat()
    except ValueError as fault:
        raise ValueError("must be a day, such as 2027-01-31") from fault


def _tag(value: Any) -> Any:
    if value == "":
        return value
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise ValueError("must be a name or an address, without spaces around it")
    return value


Account = Annotated[str, Field(pattern=r"^([0-9]{12})?$")]
RegionName = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
ZoneName = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$")]
Site = Literal["a", "b", "witness"]
Supernet = Annotated[str, _within(8, 20)]
"""What all sites share: at least a /20, as each takes a /22."""
VpcCidr = Annotated[str, _within(16, 22)]
"""AWS takes a /16 at most; less than a /22 does not hold the subnets of a site."""
FirmNetwork = Annotated[str, BeforeValidator(_not_everywhere)]
AnyNetwork = Annotated[str, BeforeValidator(_network)]
InstanceType = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]
_TAG = r"^[\w .:/=+@-]*$"
Owner = Annotated[str, BeforeValidator(_tag), Field(min_length=1, max_length=100, pattern=_TAG)]
"""Shown in a tag: letters, digits, spaces and `_.:/=+-@`, which is what AWS takes."""
Domain = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$|^$")]
Repository = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$|^$")]
KeyArn = Annotated[str, Field(pattern=r"^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]{36}$")]
SshKey = Annotated[
    str,
    Field(pattern=r"^(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}={0,3}( [^\s\"'\\]+)*$"),
]
"""A line of `authorized_keys` without options."""
UserName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Port = Annotated[int, Whole, Field(ge=1, le=65_535)]


class HostSettings(Value):
    """What a host of one role is to be; what is not said comes from the tier."""

    type: InstanceType | None = Field(None, description="instance type, such as c7i.4xlarge")
    tenancy: Literal["default", "dedicated"] | None = Field(
        None, description="whether its machine is shared with other accounts"
    )
    placement: Literal["none", "cluster"] | None = Field(
        None, description="`cluster`: as near as a zone can put hosts together"
    )
    one_thread_a_core: bool | None = Field(
        None, description="leave each core to one thread, by the CPU options of the instance"
    )
    data_gb: Annotated[int, Whole, Field(ge=10, le=16_384)] | None = Field(
        None, description="GiB of the volume that holds the data of the services"
    )
    data_type: Literal["gp3", "io2"] | None = Field(None, description="kind of that volume")
    data_iops: Annotated[int, Whole, Field(ge=3_000, le=64_000)] | None = Field(
        None, description="its operations a second"
    )


class Database(Value):
    """The book of record: our own PostgreSQL on the hosts, or Amazon's."""

    kind: Literal["self", "rds"] = Field(
        "self", description="`self`: on the hosts, as a service; `rds`: managed by AWS"
    )
    type: Annotated[str, Field(pattern=r"^(db\.[a-z0-9]+\.[a-z0-9]+)?$")] = Field(
        "", description="class of a managed instance, such as db.m7g.large; empty: the tier's"
    )
    version: Annotated[str, Field(pattern=r"^1[5-9]$")] = Field(
        "17", description="major version of a managed PostgreSQL"
    )
    storage_gb: Annotated[int, Whole, Field(ge=20, le=65_536)] = Field(
        100, description="GiB of a managed instance"
    )
    backup_days: Annotated[int, Whole, Field(ge=1, le=35)] = Field(
        14, description="days for which a managed instance can be restored to any second"
    )


class Ci(Value):
    """Who may make ephemeral environments from the firm's CI; without a repository nobody."""

    repository: Repository = Field("", description="OWNER/NAME of the repository of the firm's CI")
    issuer: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(/[A-Za-z0-9._/-]+)?$")] = Field(
        "token.actions.githubusercontent.com",
        description="who signs the tokens of that CI, without https://",
    )
    known_issuer: bool = Field(
        False, description="the account trusts this issuer already: do not declare it again"
    )


class Reach(Value):
    """A place outside that the hosts of trading sites may connect to, such as a venue."""

    network: AnyNetwork = Field(description="IPv4 network of the other side")
    port: Port = Field(description="TCP port of the other side")
    why: Annotated[str, Field(min_length=3, max_length=200)] = Field(description="what for")


class Waiver(Value):
    """A guardrail that is not to hold for some resources until a day, and who answers for it."""

    rule: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = Field(description="its id")
    resource: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        "*", description="name of the resource; `*` stands for any text"
    )
    reason: Annotated[str, Field(min_length=10, max_length=500)] = Field(
        description="why it need not hold"
    )
    owner: Owner = Field(description="who answers for it")
    expires: date = Field(description="the last day on which it holds")


class StateSettings(Value):
    """Where the state of the stack lies, and what encrypts the secrets in it.

    With none of both it is a folder of the machine that deploys, with a passphrase beside it.
    """

    backend: Annotated[str, BeforeValidator(_bucket)] = Field(
        "", description="s3://BUCKET/PREFIX, which every machine that deploys can reach"
    )
    key: Annotated[str, BeforeValidator(_kms)] = Field(
        "", description="a key of KMS, such as awskms://alias/opsctl?region=eu-central-1"
    )

    @model_validator(mode="after")
    def _shared(self) -> StateSettings:
        if self.backend and not self.key:
            raise ValueError(
                "a state that machines share needs `key`, a key of KMS that each of them may use, "
                "such as awskms://alias/opsctl?region=eu-central-1: a passphrase would be on one"
            )
        return self


class AwsSettings(Value):
    """The cloud of an environment. `needed` says what has to be given where it is on AWS."""

    account: Account = Field("", description="the 12 digits of the account; another is refused")
    owner: Annotated[str, BeforeValidator(_tag), Field(max_length=100, pattern=_TAG)] = Field(
        "", description="who answers for it: a team or an address, as a tag"
    )
    region: Annotated[str, Field(pattern=r"^([a-z]{2}(-[a-z]+)+-[0-9])?$")] = Field(
        "", description="the region of every site"
    )
    regions: dict[Site, RegionName] = Field({}, description="a region for each site, instead")
    zones: dict[Site, ZoneName] = Field(
        {}, description="an availability zone for a site; by default one of its own each"
    )
    cidr: Supernet = Field("10.64.0.0/16", description="network that sites take theirs from")
    cidrs: dict[Site, VpcCidr] = Field({}, description="the network of a site, instead")
    reserved: tuple[AnyNetwork, ...] = Field(
        (), description="networks of the firm that no site may overlap"
    )
    nat: Literal["site", "none"] = Field(
        "site", description="`site`: a NAT gateway each; `none`: only AWS is reached, privately"
    )
    people: tuple[FirmNetwork, ...] = Field(
        (), description="networks of the firm from which people reach the dashboard"
    )
    operators: tuple[FirmNetwork, ...] = Field(
        (), description="networks from which hosts are reached by SSH; empty: by Session Manager"
    )
    ssh_keys: tuple[SshKey, ...] = Field(
        (), description="public keys that hosts let in from their first start: operators, CI"
    )
    user: UserName = Field("admin", description="account that logs in; of Debian's images, admin")
    profile: Annotated[str, Field(pattern=r"^([a-z][a-z0-9-]{0,40})?$")] = Field(
        "", description="of the hosts: a latency tier, or a NAME of site/profiles; empty: the tier"
    )
    reaches: tuple[Reach, ...] = Field((), description="what hosts connect to outside: venues")
    images: dict[RegionName, Annotated[str, Field(pattern=r"^ami-[0-9a-f]{8,17}$")]] = Field(
        {}, description="image of the hosts, by region; by default Debian's newest at first deploy"
    )
    hosts: dict[Role, HostSettings] = Field({}, description="what hosts of a role are to be")
    database: Database = Field(Database(), description="who runs the book of record")
    backup_region: Annotated[str, Field(pattern=r"^([a-z]{2}(-[a-z]+)+-[0-9]|none)$|^$")] = Field(
        "", description="where buckets are copied to; empty: by the region's own; or `none`"
    )
    keys: dict[RegionName, KeyArn] = Field(
        {},
        description="keys that encrypt what lies in a region; by default one is made each, and "
        "an ephemeral environment takes that which `ci` made",
    )
    lock_days: Annotated[int, Whole, Field(ge=1, le=3_650)] = Field(
        30, description="days for which nobody can delete a backup"
    )
    log_days: Literal[1, 3, 7, 14, 30, 60, 90, 180, 365, 731, 1827, 2557, 3653] = Field(
        365, description="days for which logs are kept: a figure that CloudWatch knows"
    )
    budget_usd_month: Annotated[int, Whole, Field(ge=0, le=100_000_000)] = Field(
        0, description="USD a month after which people are told; 0: the most of the tier's band"
    )
    tell: tuple[Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+\.[^\s@]+$")], ...] = Field(
        (), description="mail addresses that alarms go to"
    )
    domain: Domain = Field(
        "", description="private domain of hosts and dashboard; empty: NAME.internal"
    )
    ci: Ci = Field(Ci(), description="who may make ephemeral environments from CI")
    ephemeral: bool = Field(
        False, description="made by CI and removed by it: nothing of it is protected"
    )
    expires: Annotated[str, BeforeValidator(_day)] = Field(
        "", description="the day after which it is to be gone, such as 2027-01-31"
    )
    state: StateSettings = Field(
        StateSettings(), description="where the state of the stack lies; by default a folder"
    )
    waivers: tuple[Waiver, ...] = Field((), description="guardrails that need not hold, and why")

    @model_validator(mode="after")
    def _whole(self) -> AwsSettings:
        if self.region and self.regions:
            raise ValueError("say `region` for all sites, or `regions` for each: one of the two")
        if self.ephemeral and not self.expires:
            raise ValueError("an ephemeral environment needs `expires`, the day it is to be gone")
        if self.ephemeral and self.ci.repository:
            raise ValueError(
                "an ephemeral environment cannot hold the identity that made it: "
                "declare `ci` in one that stays"
            )
        return self


def needed(settings: AwsSettings) -> Iterator[tuple[str, str]]:
    """Yield the settings that an environment on AWS has to give and does not, with what to give."""
    if not settings.account:
        yield "account", "which account is it? Give its 12 digits"
    if not settings.owner:
        yield "owner", "who answers for it? Name a team or an address"
    if not settings.region and not settings.regions:
        yield "region", "where is it? Name a region, such as eu-central-1"


def region_of(settings: AwsSettings, site: str) -> str:
    """Return the region of a site. KeyError: `regions` names others, and not this one."""
    by_site = {str(place): region for place, region in settings.regions.items()}
    return settings.region or by_site[site]


def missing_regions(settings: AwsSettings, sites: Iterable[str]) -> tuple[str, ...]:
    """Return the sites of an environment for which nothing says a region."""
    if settings.region:
        return ()
    return tuple(site for site in sites if site not in settings.regions)
