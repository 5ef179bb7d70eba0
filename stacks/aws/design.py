"""What an environment is on AWS: from its tiers, settings and ports to one value. Pure.

`design` refuses what cannot be, with every reason at once; `stacks.aws.program` declares what
it returns and decides nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from opsctl.model.aws import AwsSettings, Role
from opsctl.model.environment import WITNESS, Environment
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.model.value import Value
from stacks.aws.cidr import CidrPlan, cidr_plan
from stacks.aws.holdings import bucket_parts, database_part, failover_records
from stacks.aws.latency import REGIONS
from stacks.aws.login import Login, login
from stacks.aws.machines import Machine, machine, machine_faults
from stacks.aws.naming import EPHEMERAL, MADE_BY, MANAGED, SHARED, slug_of
from stacks.aws.parts import (
    Bucket,
    Budget,
    CiPart,
    DatabasePart,
    FailoverRecord,
    HostPart,
    Peering,
    SiteNetwork,
)
from stacks.aws.places import Discovered, Place, places, quorum_round_trip_ms
from stacks.aws.ports import (
    DATABASE,
    ENDPOINTS,
    EVERYWHERE,
    HTTPS,
    OPERATORS,
    OUTSIDE,
    PEOPLE,
    End,
    PortUse,
    Rule,
    SecurityGroup,
    port_faults,
    port_rules,
)
from stacks.aws.refused import Reason, Refused

GATEWAY = "s3"
"""Reached by a route; the others by an address of their own in the site's network."""
INTERFACES = ("ec2messages", "kms", "logs", "monitoring", "secretsmanager", "ssm", "ssmmessages")
"""What hosts use of AWS: Session Manager (three of them), keys, logs, alarms, secrets."""
SECRETS = ("authority", "sessions")
"""The environment's own authority, and what logs on at venues. Values come from operators."""


class Design(Value):
    """All that is declared of an environment."""

    environment: str
    tier: LatencyTier
    dr: DrTier
    account: str
    tags: dict[str, str]
    """Of everything; `site` is added to each."""
    protected: bool
    """Whether what holds state refuses to be deleted."""
    ephemeral: bool
    domain: str
    keys: dict[str, str] = {}
    """Keys that are there already: ARNs, by region."""
    networks: tuple[SiteNetwork, ...]
    peerings: tuple[Peering, ...]
    hosts: tuple[HostPart, ...]
    login: Login
    buckets: tuple[Bucket, ...]
    secrets: tuple[str, ...] = SECRETS
    database: DatabasePart | None = None
    records: tuple[FailoverRecord, ...] = ()
    ci: CiPart | None = None
    budget: Budget
    tell: tuple[str, ...] = ()
    log_days: int
    quorum_ms: float
    """Typical round trip that an order's journal entry waits for; 0 of one site."""
    unmet: tuple[str, ...] = ()
    """Why a tier is not met by what is declared; empty where nothing stands against it."""

    @property
    def slug(self) -> str:
        """What names in the account begin with; CI is held to it in an ephemeral environment."""
        return slug_of(self.environment, ephemeral=self.ephemeral)

    @property
    def home(self) -> SiteNetwork:
        """The network of the first site, in whose region what is shared lies."""
        return self.networks[0]

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region that something is declared in, the first site's first."""
        of_sites = [network.place.region for network in self.networks]
        of_copies = [bucket.replica_region for bucket in self.buckets if bucket.replica_region]
        return tuple(dict.fromkeys((*of_sites, *of_copies)))

    def network(self, site: str) -> SiteNetwork:
        """Return the network of a site."""
        return next(one for one in self.networks if one.site == site)

    def tagged(self, name: str, site: str = SHARED) -> dict[str, str]:
        """Return the tags of one resource."""
        return {**self.tags, "site": site, "Name": f"{self.environment}-{name}"}


def design(
    environment: Environment,
    settings: AwsSettings,
    ports: tuple[PortUse, ...],
    found: Discovered | None = None,
) -> Design:
    """Return what an environment is on AWS. Refused: it cannot be, with every reason."""
    found = found or Discovered()
    at, plan = _placed(environment, settings, found)
    machines = {role: machine(environment.tier, role, settings) for role in Role}
    hosts = tuple(_host(place, plan, machines, settings, found) for place in at)
    database = database_part(environment, settings, at)
    ends = (*(_host_end(host) for host in hosts), *_database_ends(database, plan))
    reasons = tuple(_faults(environment, settings, ports, hosts, machines))
    if reasons:
        raise Refused(reasons)
    rules = port_rules(ports, ends, {PEOPLE: settings.people, OPERATORS: settings.operators})
    domain = settings.domain or f"{environment.name}.internal"
    return Design(
        environment=environment.name,
        tier=environment.tier,
        dr=environment.dr,
        account=settings.account,
        tags=_tags(environment, settings),
        protected=not settings.ephemeral,
        ephemeral=settings.ephemeral,
        domain=domain,
        keys={str(region): arn for region, arn in settings.keys.items()},
        networks=tuple(_network(place, plan, settings, database, hosts, rules) for place in at),
        peerings=tuple(
            Peering(requester=a.site, accepter=b.site, across_regions=a.region != b.region)
            for a, b in combinations(at, 2)
        ),
        hosts=hosts,
        login=login(settings),
        buckets=bucket_parts(environment, settings, at[0].region),
        database=database,
        records=tuple(failover_records(domain, hosts)),
        ci=_ci(settings, at),
        budget=_budget(environment, settings),
        tell=settings.tell,
        log_days=settings.log_days,
        quorum_ms=quorum_round_trip_ms(at),
        unmet=tuple(_unmet(environment, machines[Role.TRADING])),
    )


def _placed(
    environment: Environment, settings: AwsSettings, found: Discovered
) -> tuple[tuple[Place, ...], CidrPlan]:
    """Return places and networks. Refused: with the reasons against both."""
    reasons: list[Reason] = []
    at: tuple[Place, ...] = ()
    plan = CidrPlan(shares=())
    try:
        at = places(environment, settings, found)
    except Refused as why:
        reasons.extend(why.reasons)
    try:
        plan = cidr_plan(settings, environment.sites)
    except Refused as why:
        reasons.extend(why.reasons)
    if reasons:
        raise Refused(reasons)
    return at, plan


def _faults(
    environment: Environment,
    settings: AwsSettings,
    ports: tuple[PortUse, ...],
    hosts: tuple[HostPart, ...],
    machines: dict[Role, Machine],
) -> Iterator[Reason]:
    for role in {Role(host.role) for host in hosts}:
        yield from machine_faults(role, machines[role])
    roles = (*(role.value for role in Role), DATABASE, *OUTSIDE)
    yield from port_faults(ports, frozenset((*roles, "a", "b", WITNESS)))
    yield from _setting_faults(settings)
    for host in hosts:
        if not host.image:
            yield (
                ("aws", "images"),
                f"no image is known for {host.region}: write its id under aws.images",
            )
    if environment.name.startswith(EPHEMERAL):
        yield (), f"{environment.name}: names with {EPHEMERAL} are those that CI may remove"
    if settings.ephemeral and environment.live:
        yield ("aws", "ephemeral"), "trades real money (trading:live): it cannot be ephemeral"


def _setting_faults(settings: AwsSettings) -> Iterator[Reason]:
    if settings.backup_region not in ("", "none", *REGIONS):
        yield ("aws", "backup_region"), f"there is no region {settings.backup_region} here"
    if settings.nat == "none" and settings.reaches:
        yield ("aws", "reaches"), "nothing leads outside where aws.nat is none: write nat: site"
    for reach in settings.reaches:
        if reach.network == EVERYWHERE:
            yield ("aws", "reaches"), f"{reach.network} is everywhere: name the venue's network"
    for region, arn in settings.keys.items():
        if f":{region}:{settings.account}:" not in arn:
            problem = f"{arn} is not of {region} and account {settings.account}"
            yield ("aws", "keys", str(region)), problem


def _host(
    place: Place,
    plan: CidrPlan,
    machines: dict[Role, Machine],
    settings: AwsSettings,
    found: Discovered,
) -> HostPart:
    role = Role.WITNESS if place.site == WITNESS else Role.TRADING
    return HostPart(
        name=WITNESS if role is Role.WITNESS else f"{role}-{place.site}",
        site=place.site,
        role=role.value,
        region=place.region,
        zone=place.zone,
        address=plan.share(place.site).address(0),
        image=settings.images.get(place.region, found.images.get(place.region, "")),
        machine=machines[role],
    )


def _host_end(host: HostPart) -> End:
    return End(site=host.site, role=host.role, cidrs=(f"{host.address}/32",))


def _database_ends(database: DatabasePart | None, plan: CidrPlan) -> tuple[End, ...]:
    if database is None:
        return ()
    sites = [site for site in (database.site, database.replica_site) if site]
    return tuple(End(site=site, role=DATABASE, cidrs=plan.share(site).database) for site in sites)


def _network(
    place: Place,
    plan: CidrPlan,
    settings: AwsSettings,
    database: DatabasePart | None,
    hosts: tuple[HostPart, ...],
    rules: dict[str, tuple[Rule, ...]],
) -> SiteNetwork:
    here = tuple(host for host in hosts if host.site == place.site)
    has_database = f"{place.site}-{DATABASE}" in rules
    groups = [
        SecurityGroup(
            name=host.group,
            site=place.site,
            role=host.role,
            rules=(*rules[host.group], *_outward(place.site, host, settings)),
        )
        for host in here
    ]
    if has_database:
        name = f"{place.site}-{DATABASE}"
        groups.append(SecurityGroup(name=name, site=place.site, role=DATABASE, rules=rules[name]))
    groups.append(
        SecurityGroup(
            name=f"{place.site}-{ENDPOINTS}",
            site=place.site,
            role=ENDPOINTS,
            rules=tuple(
                Rule(
                    direction="ingress",
                    port=HTTPS,
                    cidr=f"{host.address}/32",
                    why="services of AWS, privately",
                )
                for host in here
            ),
        )
    )
    return SiteNetwork(
        site=place.site,
        place=place,
        share=plan.share(place.site),
        nat=settings.nat == "site",
        database=has_database and database is not None,
        endpoints=(GATEWAY, *INTERFACES),
        groups=tuple(groups),
    )


def _outward(site: str, host: HostPart, settings: AwsSettings) -> Iterator[Rule]:
    """Yield what a host may reach besides the ports of services."""
    out = {"direction": "egress", "port": HTTPS}
    yield Rule(**out, group=f"{site}-{ENDPOINTS}", why="services of AWS, privately")
    yield Rule(**out, prefix=GATEWAY, why="buckets, privately")
    if settings.nat == "site":
        yield Rule(**out, cidr=EVERYWHERE, why="packages of the operating system, by TLS")
    if host.role == Role.TRADING:
        for reach in settings.reaches:
            yield Rule(direction="egress", port=reach.port, cidr=reach.network, why=reach.why)


def _ci(settings: AwsSettings, at: tuple[Place, ...]) -> CiPart | None:
    if not settings.ci.repository:
        return None
    return CiPart(
        repository=settings.ci.repository,
        issuer=settings.ci.issuer,
        known_issuer=settings.ci.known_issuer,
        regions=tuple(dict.fromkeys(place.region for place in at)),
    )


def _budget(environment: Environment, settings: AwsSettings) -> Budget:
    least, most = environment.latency.cost_usd_year
    if settings.budget_usd_month:
        return Budget(usd_month=settings.budget_usd_month, why="as the environment says")
    if most is None:
        why = f"tier {environment.tier} has no upper bound: told where its least is passed"
        return Budget(usd_month=least // 12, why=why)
    return Budget(usd_month=most // 12, why=f"the most of tier {environment.tier}")


def _tags(environment: Environment, settings: AwsSettings) -> dict[str, str]:
    made_by = environment.ephemeral.owner
    return {
        "environment": environment.name,
        "tier": environment.tier.value,
        "dr": environment.dr.value,
        "owner": settings.owner,
        "expires": environment.ephemeral.expires or settings.expires or "never",
        "ephemeral": "true" if settings.ephemeral else "false",
        **dict((MANAGED,)),
        **({MADE_BY: made_by.replace("#", "-")} if made_by else {}),  # no sign that AWS takes
    }


def _unmet(environment: Environment, trading: Machine) -> Iterator[str]:
    if environment.tier is LatencyTier.HFT:
        yield (
            "hft cannot be met on AWS: under 10 us from tick to order takes a machine in the "
            "venue's own data centre and a network card that programs use without the kernel; "
            "between two hosts of one placement group a cloud's network alone takes tens of us. "
            f"What is declared is the cloud's best ({trading.type}, tenancy {trading.tenancy}, "
            f"placement {trading.placement}); use infrastructure onprem"
        )
        if environment.dr is not DrTier.HOT:
            yield (
                f"{environment.dr} does not meet tier hft: market making and hft need hot, "
                "a duplicate site with automatic failover"
            )
