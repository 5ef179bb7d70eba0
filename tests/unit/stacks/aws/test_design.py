"""The design of every combination of tiers: what must hold of each, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations, product
from typing import Any

import pytest

from opsctl.model.aws import INSIDE, AwsSettings
from opsctl.model.environment import WITNESS, Environment
from opsctl.model.tiers import DrTier, LatencyTier
from stacks.aws.design import Design, design
from stacks.aws.places import Discovered
from stacks.aws.ports import EVERYWHERE, PortUse
from stacks.aws.refused import Refused

REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-central-1")
IMAGES = dict.fromkeys(REGIONS, "ami-0123456789abcdef0")
RELAY = PortUse(
    port=7400, at="trading", sources=("trading", "witness"), why="links between hosts, mutual TLS"
)
TO_WITNESS = RELAY.model_copy(update={"at": "witness", "sources": ("trading",)})
DESK = PortUse(port=8443, at="trading", sources=("people",), why="dashboard")
SSH = PortUse(port=22, at="trading", sources=("operators",), why="operators")
BOOKS = PortUse(port=5432, at="database", sources=("trading",), why="book of record")
KEY = "arn:aws:kms:us-east-1:123456789012:key/0123abcd-0000-4000-8000-0123456789ab"
PORTS = (RELAY, TO_WITNESS, DESK, SSH, BOOKS)
EVERY = list(product(LatencyTier, DrTier))


def settings(**more: Any) -> AwsSettings:
    least = {
        "account": "123456789012",
        "owner": "platform",
        "region": "us-east-1",
        "people": ["10.1.0.0/16"],
        "operators": ["10.2.0.0/16"],
    }
    return AwsSettings(**{**least, **more})


def made(
    tier: str = "daily", dr: str = "hot", ports: tuple[PortUse, ...] = PORTS, **more: Any
) -> Design:
    environment = Environment(name="books", tier=LatencyTier(tier), dr=DrTier(dr))
    return design(environment, settings(**more), ports, Discovered(images=IMAGES))


def refusal(tier: str = "daily", dr: str = "hot", **more: Any) -> str:
    with pytest.raises(Refused) as why:
        made(tier, dr, **more)
    return str(why.value)


@pytest.mark.parametrize(("tier", "dr"), EVERY)
@pytest.mark.parametrize("database", ["self", "rds"])
def test_no_two_networks_of_an_environment_overlap(
    tier: LatencyTier, dr: DrTier, database: str
) -> None:
    plan = made(tier, dr, database={"kind": database})
    vpcs = [IPv4Network(one.share.vpc) for one in plan.networks]
    assert not any(a.overlaps(b) for a, b in combinations(vpcs, 2))
    assert not any(a.overlaps(b) for a in vpcs for b in INSIDE)
    for network in plan.networks:
        share = network.share
        parts = [IPv4Network(one) for one in (share.hosts, *share.database, share.public)]
        assert not any(a.overlaps(b) for a, b in combinations(parts, 2))
        assert all(one.subnet_of(IPv4Network(share.vpc)) for one in parts)
    for host in plan.hosts:
        assert IPv4Address(host.address) in IPv4Network(plan.network(host.site).share.hosts)


@pytest.mark.parametrize(("tier", "dr"), EVERY)
def test_sites_are_those_of_the_tier_and_fail_apart(tier: LatencyTier, dr: DrTier) -> None:
    plan = made(tier, dr)
    environment = Environment(name="books", tier=tier, dr=dr)
    assert tuple(one.site for one in plan.networks) == environment.sites
    zones = [host.zone for host in plan.hosts]
    assert len(set(zones)) == len(zones) == len(environment.sites)
    pairs = len(environment.sites) * (len(environment.sites) - 1) // 2
    assert len(plan.peerings) == pairs
    assert {host.role for host in plan.hosts if host.site == WITNESS} <= {"witness"}
    assert len(plan.records) == (0 if dr is DrTier.COLD else 2)


@pytest.mark.parametrize(("tier", "dr"), EVERY)
def test_only_what_a_port_asks_for_is_open(tier: LatencyTier, dr: DrTier) -> None:
    plan = made(tier, dr, database={"kind": "rds"})
    hosts = {f"{host.address}/32": host for host in plan.hosts}
    expected = set()
    for use in PORTS:
        for host in plan.hosts:
            for cidr, other in hosts.items():
                if host.role == use.at and other.role in use.sources and other is not host:
                    expected.add((host.group, use.port, cidr))
            if use is DESK and host.role == "trading":
                expected.add((host.group, 8443, "10.1.0.0/16"))
            if use is SSH and host.role == "trading":
                expected.add((host.group, 22, "10.2.0.0/16"))
    for cidr, host in hosts.items():
        expected.add((f"{host.site}-endpoints", 443, cidr))
        if host.role == "trading":
            expected.add(("a-database", 5432, cidr))
    found = {
        (group.name, rule.port, rule.cidr)
        for network in plan.networks
        for group in network.groups
        for rule in group.rules
        if rule.direction == "ingress"
    }
    assert found == expected


@pytest.mark.parametrize(("tier", "dr"), EVERY)
def test_what_one_end_may_receive_the_other_may_send(tier: LatencyTier, dr: DrTier) -> None:
    plan = made(tier, dr)
    address = {host.group: f"{host.address}/32" for host in plan.hosts}
    rules = [
        (group.name, rule)
        for network in plan.networks
        for group in network.groups
        if group.name in address
        for rule in group.rules
        if rule.cidr in address.values()
    ]
    received = {(address[at], r.cidr, r.port) for at, r in rules if r.direction == "ingress"}
    sent = {(r.cidr, address[at], r.port) for at, r in rules if r.direction == "egress"}
    assert received == sent
    assert bool(received) == (len(plan.hosts) > 1)


@pytest.mark.parametrize(("tier", "dr"), EVERY)
def test_everything_says_whose_it_is(tier: LatencyTier, dr: DrTier) -> None:
    tags = made(tier, dr, expires="2031-01-31").tagged("a-vpc", "a")
    assert tags == {
        "environment": "books",
        "tier": tier.value,
        "dr": dr.value,
        "owner": "platform",
        "expires": "2031-01-31",
        "ephemeral": "false",
        "managed-by": "opsctl",
        "site": "a",
        "Name": "books-a-vpc",
    }


@pytest.mark.parametrize(("tier", "dr"), EVERY)
def test_hft_alone_is_said_not_to_be_met_and_why(tier: LatencyTier, dr: DrTier) -> None:
    plan = made(tier, dr)
    said = " ".join(plan.unmet)
    assert ("hft cannot be met on AWS" in said) == (tier is LatencyTier.HFT)
    assert ("does not meet tier hft" in said) == (tier is LatencyTier.HFT and dr is not DrTier.HOT)


def test_hft_has_the_best_that_the_cloud_has() -> None:
    trading = made("hft").hosts[0].machine
    assert (trading.metal, trading.tenancy, trading.placement) == (True, "dedicated", "cluster")
    assert trading.cores is None  # a whole machine takes no CPU options
    other = made("hft", hosts={"trading": {"type": "c7i.24xlarge"}}).hosts[0].machine
    assert other.cores == 48


def test_a_network_stays_where_it_is_when_sites_come() -> None:
    assert made(dr="cold").home.share == made(dr="hot").home.share


def test_who_connects_from_nowhere_named_reaches_nothing() -> None:
    for _, group in ((n, g) for n in made().networks for g in n.groups):
        ingress = [rule for rule in group.rules if rule.direction == "ingress"]
        assert all(rule.cidr != EVERYWHERE for rule in ingress)
        assert all(rule.why for rule in group.rules)


def test_without_nat_nothing_leads_outside() -> None:
    closed = made(nat="none")
    ends = {rule.cidr for n in closed.networks for g in n.groups for rule in g.rules}
    assert EVERYWHERE not in ends
    assert not any(network.nat for network in closed.networks)


def test_hosts_that_trade_reach_venues_and_the_witness_does_not() -> None:
    venue = {"network": "198.51.100.0/24", "port": 9876, "why": "FIX at the venue"}
    plan = made(reaches=[venue])
    reach = {
        group.role
        for network in plan.networks
        for group in network.groups
        for rule in group.rules
        if rule.cidr == "198.51.100.0/24"
    }
    assert reach == {"trading"}


def test_two_reasons_for_one_port_are_one_rule() -> None:
    again = RELAY.model_copy(update={"why": "clock"})
    group = made(ports=(RELAY, again, RELAY)).home.groups[0]
    whys = {rule.why for rule in group.rules if rule.port == 7400}
    assert whys == {"links between hosts, mutual TLS; clock"}


def test_a_managed_database_is_copied_where_another_region_stands_by() -> None:
    regions = {"a": "us-east-1", "b": "us-west-2", "witness": "us-east-2"}
    apart = made(dr="warm", region="", regions=regions, database={"kind": "rds"})
    assert apart.database is not None
    assert (apart.database.multi_az, apart.database.replica_site) == (True, "b")
    assert [network.database for network in apart.networks] == [True, True, False]
    cold = made(dr="cold", database={"kind": "rds"}).database
    assert cold is not None
    assert (cold.multi_az, cold.replica_site) == (False, "")
    assert made().database is None


def test_buckets_are_copied_elsewhere_and_their_names_fit() -> None:
    backups = made().buckets[1]
    assert (backups.region, backups.replica_region) == ("us-east-1", "us-east-2")
    assert backups.lock_days == 30
    long = Environment(name="a" * 31, tier=LatencyTier.DAILY, dr=DrTier.COLD)
    names = [
        name
        for bucket in design(long, settings(), (), Discovered(images=IMAGES)).buckets
        for name in (bucket.name, bucket.replica)
    ]
    assert len(set(names)) == 4
    assert all(3 <= len(name) <= 63 for name in names)
    assert not any(bucket.replica for bucket in made(backup_region="none").buckets)


@pytest.mark.parametrize(
    ("tier", "usd"), [("weekly", 833), ("daily", 4166), ("intraday", 41666), ("hft", 83333)]
)
def test_the_budget_is_a_month_of_the_band(tier: str, usd: int) -> None:
    assert made(tier).budget.usd_month == usd
    assert made(tier, budget_usd_month=7).budget.usd_month == 7


def test_an_ephemeral_environment_protects_and_locks_nothing() -> None:
    plan = made(ephemeral=True, expires="2030-01-01")
    assert not plan.protected
    assert all(not bucket.lock_days and not bucket.replica for bucket in plan.buckets)
    assert plan.tags["ephemeral"] == "true"


THREE = {"a": "us-east-1", "b": "us-east-2", "witness": "us-west-2"}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            {"tier": "intraday", "region": "", "regions": THREE},
            (
                "a round trip of the journal's quorum typically takes 53 ms (a in us-east-1, "
                "b in us-east-2, witness in us-west-2), and tier intraday leaves it 5 ms"
            ),
        ),
        (
            {"region": "", "regions": {**THREE, "witness": "us-east-1"}},
            "of us-east-1 and us-east-2 one holds two sites, and takes the quorum with it",
        ),
        (  # whom nobody moves the order path to, as without the quorum nobody can lead
            {"dr": "warm", "region": "", "regions": {**THREE, "witness": "us-east-2"}},
            "dr warm has its three sites in one region or in three: of us-east-1 and us-east-2",
        ),
        (  # as fast to follow when site a is lost
            {
                "dr": "warm",
                "tier": "intraday",
                "region": "",
                "regions": {"a": "eu-central-1", "b": "eu-central-2", "witness": "eu-west-3"},
            },
            "a round trip of the journal's quorum typically takes",
        ),
        (
            {"region": "", "regions": {"a": "us-east-1", "b": "us-east-2"}},
            "trading:aws.regions.witness: dr hot has a site witness: name its region",
        ),
        ({"tier": "hft", "region": "", "regions": THREE}, "keeps its sites in one region"),
        ({"region": "eu-nowhere-9"}, "there is no region eu-nowhere-9 here"),
        (
            {"zones": {"a": "us-east-1b", "b": "us-east-1b"}},
            "sites a and b are both in zone us-east-1b and would fall together",
        ),
        ({"zones": {"a": "us-east-1z"}}, "us-east-1 has no zone us-east-1z here: us-east-1a"),
        (
            {"cidrs": {"a": "10.70.0.0/20", "b": "10.70.8.0/21"}},
            "trading:aws.cidrs.b: site a (10.70.0.0/20) and site b (10.70.8.0/21) overlap",
        ),
        (
            {"reserved": ["10.64.16.0/24"]},
            "site b (10.64.16.0/20) overlaps 10.64.16.0/24, which the firm has reserved",
        ),
        ({"hosts": {"trading": {"type": "m7g.large"}}}, "m7g.large is Arm"),
        ({"hosts": {"trading": {"type": "q9.large"}}}, "q9 is no family that is known here"),
        ({"hosts": {"trading": {"type": "c7i.huge"}}}, "huge is no size of an instance"),
        (
            {"hosts": {"trading": {"type": "t3.large", "placement": "cluster"}}},
            "AWS puts no t3 into a cluster placement group",
        ),
        ({"hosts": {"trading": {"data_iops": 20_000}}}, "gp3 gives at most 16000 operations"),
        (
            {"hosts": {"trading": {"data_gb": 10, "data_iops": 9_000}}},
            "gives at most 500 operations a second for each GiB",
        ),
        ({"backup_region": "us-nowhere-1"}, "there is no region us-nowhere-1 here"),
        (
            {"nat": "none", "reaches": [{"network": "198.51.100.0/24", "port": 1, "why": "FIX"}]},
            "nothing leads outside where aws.nat is none",
        ),
        (
            {"reaches": [{"network": "0.0.0.0/0", "port": 1, "why": "any"}]},
            "0.0.0.0/0 is everywhere: name the venue's network",
        ),
        (
            {"keys": {"us-east-1": KEY.replace("us-east-1", "us-east-2")}},
            "is not of us-east-1 and account 123456789012",
        ),
        ({"region": "sa-east-1"}, "no image is known for sa-east-1"),
        (
            {"ports": (RELAY.model_copy(update={"sources": ("traders",)}),)},
            "port 7400 (links between hosts, mutual TLS) is for traders, which is neither role",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_setting_and_why(
    case: dict[str, Any], said: str
) -> None:
    assert said in refusal(**case)


def test_every_reason_is_given_at_once() -> None:
    said = refusal(zones={"a": "us-east-1z"}, reserved=["10.64.0.0/16"])
    assert said.count("\n") == 3


def test_a_region_with_two_zones_holds_no_three_sites() -> None:
    environment = Environment(name="books", tier=LatencyTier.DAILY, dr=DrTier.HOT)
    found = Discovered(zones={"us-west-1": ("us-west-1a", "us-west-1c")}, images={})
    with pytest.raises(Refused, match="2 zones for this account, and 3 sites each need one"):
        design(environment, settings(region="us-west-1"), (), found)


def test_names_that_ci_may_remove_are_kept_for_it() -> None:
    named = Environment(name="eph-books", tier=LatencyTier.DAILY, dr=DrTier.COLD)
    with pytest.raises(Refused, match="names with eph- are those that CI may remove"):
        design(named, settings(), (), Discovered(images=IMAGES))


def test_real_money_is_not_ephemeral() -> None:
    live = Environment(name="books", tier=LatencyTier.DAILY, dr=DrTier.COLD, live=True)
    short = settings(ephemeral=True, expires="2030-01-01")
    with pytest.raises(Refused, match="it cannot be ephemeral"):
        design(live, short, (), Discovered(images=IMAGES))


@pytest.mark.parametrize("tier", LatencyTier)
@pytest.mark.parametrize("database", ["self", "rds"])
def test_a_standby_that_people_move_to_is_made_of_what_one_that_takes_over_is(
    tier: LatencyTier, database: str
) -> None:
    hot, warm = (made(tier, dr, database={"kind": database}) for dr in ("hot", "warm"))
    said = {"dr": hot.dr, "tags": hot.tags, "unmet": hot.unmet}
    assert warm.model_copy(update=said) == hot


@pytest.mark.parametrize("dr", ["hot", "warm"])
def test_three_regions_hold_an_environment_whose_tier_has_the_time(dr: str) -> None:
    plan = made("daily", dr, region="", regions=THREE)
    assert [network.place.region for network in plan.networks] == list(THREE.values())
    assert all(peering.across_regions for peering in plan.peerings)
    assert 40 < plan.quorum_ms < 70


def test_a_design_needs_no_pulumi() -> None:
    code = "import sys, stacks.aws.design; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
