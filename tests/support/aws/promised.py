"""What a combination of tiers promises, held against what an account really has.

Reckoned from the tiers, by hand and not by the design: what is declared wrongly is found here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations

from tests.support.aws.found import Found, tags
from tests.support.combinations import OWNER, PEOPLE, REGION, Combination

COPIES = "eu-central-2"
"""Where the buckets of our region are copied to."""
SITES = {"cold": ("a",), "warm": ("a", "b", "witness"), "hot": ("a", "b", "witness")}
TRADING = {
    "weekly": "m7i.large",
    "daily": "m7i.xlarge",
    "intraday": "c7i.4xlarge",
    "hft": "c7i.metal-24xl",
}
WITNESS = {"weekly": "t3.small", "daily": "t3.small", "intraday": "m7i.large", "hft": "m7i.large"}
LINKS, PAGE, BOOKS, HTTPS = 7400, 443, 5432, 443
TAGGED = {"environment", "tier", "dr", "site", "owner", "expires", "ephemeral", "Name"}


class Promise:
    """What is to be there of a combination."""

    def __init__(self, one: Combination) -> None:
        """Reckon it."""
        said = one.settings
        self.one, self.sites = one, SITES[one.dr]
        self.copied = not one.ephemeral and said.get("backup_region") != "none"
        self.nat = said.get("nat") != "none"
        places = said.get("regions", dict.fromkeys(self.sites, REGION))
        self.place = {site: places[site] for site in self.sites}
        rds = said.get("database", {}).get("kind") == "rds"
        apart = rds and "b" in self.place and self.place["b"] != self.place["a"]
        self.databases = ("a", "b") if apart else ("a",) if rds else ()
        self.masters = int(rds)
        """Databases that are no replica: AWS keeps the password of each one's master."""
        self.regions = tuple(dict.fromkeys((*self.place.values(), *[COPIES] * self.copied)))
        self.ci = "ci" in said

    def counts(self) -> Counter[str]:
        """Return how many there are to be of each kind of thing."""
        sites, stays = len(self.sites), not self.one.ephemeral
        found = {
            "vpc": sites,
            "subnet": sites * (2 if self.nat else 1) + 2 * len(self.databases),
            "instance": sites,
            "volume": 2 * sites,
            "security group": 2 * sites + len(self.databases),
            "database": len(self.databases),
            "log group": sites,
            "key": len(self.regions) + self.ci * len(set(self.place.values())),
            "bucket": 4 if self.copied else 2,
            "flow log": sites,
            "address": sites * self.nat,
            "internet gateway": sites * self.nat,
            "nat gateway": sites * self.nat,
            "interface endpoint": 7 * sites,
            "gateway endpoint": sites,
            "peering": sites * (sites - 1) // 2,
            "template": sites,
            "subnet group": len(self.databases),
            "topic": len(set(self.place.values())),
            "alarm": 2 * sites,
            "secret": 2 + self.masters,
            # Ephemeral: the two that CI's own environment made.
            "role": 2 + stays * ((sites > 1) + 2 * self.copied) + 3 * self.ci,
            "zone": int(stays),
            "health check": 2 * (stays and sites > 1),
            "budget": int(stays),
        }
        return Counter({kind: many for kind, many in found.items() if many})


def broken(found: Found, one: Combination) -> list[str]:
    """Return what is not as the tiers of a combination promise, a line each."""
    promise = Promise(one)
    return [
        *_counted(found, promise),
        *_hosts(found, promise),
        *_networks(found, promise),
        *_open(found, promise),
        *_kept(found, promise),
        *_stored(found, promise),
    ]


def _counted(found: Found, promise: Promise) -> Iterator[str]:
    wanted, there = promise.counts(), found.counts()
    for kind in sorted({*wanted, *there}):
        if wanted[kind] != there[kind]:
            yield f"{kind}: {wanted[kind]} are promised, {there[kind]} are there"


def _hosts(found: Found, promise: Promise) -> Iterator[str]:
    one = promise.one
    zones = Counter(host["Placement"]["AvailabilityZone"] for host in found.instances)
    if max(zones.values()) > 1:
        yield f"hosts would fall together: {dict(zones)}"
    for host in found.instances:
        said = tags(host)
        role = said.get("role", "")
        wanted = (WITNESS if role == "witness" else TRADING)[one.tier]
        if host["InstanceType"] != wanted:
            yield f"{role} is {host['InstanceType']}, not {wanted}"
        if promise.place[said["site"]] != host["Region"]:
            yield f"the host of {said['site']} is in {host['Region']}"
        if host["MetadataOptions"]["HttpTokens"] != "required":
            yield f"{role}: metadata without a token"
        if host.get("PublicIpAddress"):
            yield f"{role} has a public address"
        yield from _tags(f"host {said.get('Name')}", said, promise)
    for disk in found.volumes:
        if not disk["Encrypted"]:
            yield f"volume {tags(disk).get('Name')} is not encrypted"
        yield from _tags(f"volume {tags(disk).get('Name')}", tags(disk), promise)


def _networks(found: Found, promise: Promise) -> Iterator[str]:
    networks = {one["VpcId"]: IPv4Network(one["CidrBlock"]) for one in found.vpcs}
    for a, b in combinations(networks.values(), 2):
        if a.overlaps(b):
            yield f"networks {a} and {b} overlap"
    for vpc, whole in networks.items():
        inner = [IPv4Network(s["CidrBlock"]) for s in found.subnets if s["VpcId"] == vpc]
        if any(a.overlaps(b) for a, b in combinations(inner, 2)):
            yield f"subnets of {whole} overlap: {inner}"
        if not all(each.subnet_of(whole) for each in inner):
            yield f"subnets are not of {whole}: {inner}"
    for subnet in found.subnets:
        if subnet["MapPublicIpOnLaunch"]:
            yield f"subnet {subnet['CidrBlock']} gives public addresses"
    for each in (*found.vpcs, *found.subnets, *found.groups):
        yield from _tags(f"{tags(each).get('Name')}", tags(each), promise)


def _open(found: Found, promise: Promise) -> Iterator[str]:
    """Yield what is open and is not to be, and the other way round."""
    role = {group["GroupId"]: tags(group)["Name"] for group in found.groups}
    hosts = {f"{host['PrivateIpAddress']}/32": tags(host) for host in found.instances}
    of = f"{promise.one.name}-"
    wanted = set()
    for cidr, host in hosts.items():
        here = f"{of}{host['site']}-{host['role']}"
        wanted.add((f"{of}{host['site']}-endpoints", HTTPS, cidr))
        wanted |= {(here, LINKS, other) for other in hosts if other != cidr}
        if host["role"] == "trading":
            wanted |= {(f"{of}{site}-database", BOOKS, cidr) for site in promise.databases}
            if promise.one.settings.get("people"):
                wanted.add((here, PAGE, PEOPLE))
    there = {
        (role[rule["GroupId"]], rule["FromPort"], rule.get("CidrIpv4", ""))
        for rule in found.rules
        if not rule["IsEgress"]
    }
    yield from (f"is open: {one}" for one in sorted(there - wanted))
    yield from (f"is not open: {one}" for one in sorted(wanted - there))


def _kept(found: Found, promise: Promise) -> Iterator[str]:
    """Yield what of databases, keys and logs is not as promised."""
    one = promise.one
    for database in found.databases:
        name, home = database["DBInstanceIdentifier"], database["Region"] == promise.place["a"]
        wanted = {
            "StorageEncrypted": True,
            "PubliclyAccessible": False,
            "DeletionProtection": not one.ephemeral,
            "MultiAZ": home and one.dr != "cold",
        }
        for each, value in wanted.items():
            if database[each] is not value:
                yield f"database {name}: {each} is {database[each]}"
    for key in found.keys:
        if not key["Rotated"] and not one.ephemeral:
            yield f"key {key['Description']} is not rotated"
    for group in found.log_groups:
        if group.get("retentionInDays") != 365 or not group.get("kmsKeyId"):
            yield f"logs {group['logGroupName']}: kept {group.get('retentionInDays')} days"


def _stored(found: Found, promise: Promise) -> Iterator[str]:
    """Yield what of buckets is not as promised."""
    for name in found.buckets:
        bucket, stays = found.bucket(name), not promise.one.ephemeral
        said = {
            "versions": "Enabled",
            "closed": True,
            "algorithm": "aws:kms",
            "tls": True,
            "locked": stays and "-backups-" in name,
            "copied": promise.copied and "-copy-" not in name,
        }
        for key, value in said.items():
            if bucket[key] != value:
                yield f"bucket {name}: {key} is {bucket[key]}, not {value}"


def _tags(what: str, said: dict[str, str], promise: Promise) -> Iterator[str]:
    one = promise.one
    wanted = {"environment": one.name, "tier": one.tier, "dr": one.dr, "owner": OWNER}
    if missing := TAGGED - said.keys():
        yield f"{what} has no tag {', '.join(sorted(missing))}"
    for key, value in wanted.items():
        if said.get(key) != value:
            yield f"{what} has tag {key} {said.get(key)}, not {value}"
