"""Where each site is: its region, its zone, and with what it fails. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from opsctl.model.aws import AwsSettings, missing_regions, region_of
from opsctl.model.environment import Environment
from opsctl.model.tiers import MS, DrTier, LatencyTier
from opsctl.model.value import Value
from stacks.aws.latency import REGIONS, round_trip_ms
from stacks.aws.refused import Reason, Refused

JOURNAL_SHARE = 2
"""The journal may take one part in so many of the latency budget; the rest is the chain's."""


class Discovered(Value):
    """What the account was found to have; what nobody looked up is as AWS usually names it."""

    zones: dict[str, tuple[str, ...]] = {}
    """By region, in an order that stays."""
    images: dict[str, str] = {}
    """The image of a host, by region."""

    def zones_of(self, region: str) -> tuple[str, ...]:
        """Return the zones of a region."""
        return self.zones.get(region, tuple(f"{region}{letter}" for letter in "abc"))


class Place(Value):
    """Where a site is."""

    site: str
    region: str
    zone: str
    second_zone: str
    """Another of the same region, for what a service of AWS wants in two."""


def places(environment: Environment, settings: AwsSettings, found: Discovered) -> tuple[Place, ...]:
    """Return where the sites of an environment are.

    Refused: a region or zone is unknown, sites that must fail apart do not, or their journal
    would take longer than the latency tier allows.
    """
    sites = environment.sites
    missing = missing_regions(settings, sites)
    if missing:
        raise Refused(
            (("aws", "regions", site), f"dr {environment.dr} has a site {site}: name its region")
            for site in missing
        )
    regions = {site: region_of(settings, site) for site in sites}
    unknown = tuple(_unknown(settings, regions, found))
    if unknown:
        raise Refused(unknown)
    chosen = _zones(settings, regions, found)
    at = tuple(
        Place(
            site=site,
            region=regions[site],
            zone=chosen[site],
            second_zone=next(z for z in found.zones_of(regions[site]) if z != chosen[site]),
        )
        for site in sites
    )
    reasons = (*_apart(environment, at), *_near(environment, at))
    if reasons:
        raise Refused(reasons)
    return at


def _unknown(settings: AwsSettings, regions: dict[str, str], found: Discovered) -> Iterator[Reason]:
    for site, region in regions.items():
        path = ("aws", "region") if settings.region else ("aws", "regions", site)
        if region not in REGIONS:
            yield path, f"there is no region {region} here: known are {', '.join(REGIONS)}"
        elif len(found.zones_of(region)) < 2:
            yield path, f"{region} has no two zones that this account may use: take another region"
    if settings.region and len(set(regions)) > len(found.zones_of(settings.region)):
        yield (
            ("aws", "region"),
            (
                f"{settings.region} has {len(found.zones_of(settings.region))} zones for this "
                f"account, and {len(regions)} sites each need one: name `regions`"
            ),
        )
    for place, zone in settings.zones.items():
        if place in regions and regions[place] in REGIONS:
            known = found.zones_of(regions[place])
            if zone not in known:
                problem = f"{regions[place]} has no zone {zone} here: {', '.join(known)}"
                yield ("aws", "zones", place), problem


def _zones(settings: AwsSettings, regions: dict[str, str], found: Discovered) -> dict[str, str]:
    """Return a zone a site: the one that is named, else the first that no other site has."""
    chosen = {str(site): zone for site, zone in settings.zones.items() if site in regions}
    for site, region in regions.items():
        if site not in chosen:
            known = found.zones_of(region)
            free = (zone for zone in known if zone not in chosen.values())
            chosen[site] = next(free, known[0])
    return chosen


def _apart(environment: Environment, at: tuple[Place, ...]) -> Iterator[Reason]:
    for one, other in combinations(at, 2):
        if one.zone == other.zone:
            yield (
                ("aws", "zones", other.site),
                (
                    f"sites {one.site} and {other.site} are both in zone {one.zone} and would "
                    f"fall together: dr {environment.dr} needs a zone each"
                ),
            )
    regions = {place.region for place in at}
    if len(regions) == 2:  # where the quorum is gone nobody can lead, by whoever's word
        yield (
            ("aws", "regions"),
            (
                f"dr {environment.dr} has its three sites in one region or in three: of "
                f"{_and(regions)} one holds two sites, and takes the quorum with it"
            ),
        )
    if environment.tier is LatencyTier.HFT and environment.dr is DrTier.HOT and len(regions) > 1:
        yield ("aws", "regions"), "tier hft keeps its sites in one region: name `region`"


def _near(environment: Environment, at: tuple[Place, ...]) -> Iterator[Reason]:
    """Yield why a journal across these places is too slow for the latency tier.

    Any two sites may be what is left, and are then the quorum alone. Tier hft replicates off the
    order path.
    """
    if environment.tier is LatencyTier.HFT:
        return
    allowed = environment.latency.budget_ns / MS / JOURNAL_SHARE
    slow = quorum_round_trip_ms(at)
    if slow > allowed:
        where = ", ".join(f"{place.site} in {place.region}" for place in at)
        yield (
            ("aws", "regions"),
            (
                f"a round trip of the journal's quorum typically takes {slow:.0f} ms ({where}), "
                f"and tier {environment.tier} leaves it {allowed:.0f} ms: put the sites in zones "
                "of one region, or take a slower tier"
            ),
        )


def quorum_round_trip_ms(at: tuple[Place, ...]) -> float:
    """Return the typical round trip that an order's journal entry waits for; 0 of one site.

    That of the two sites that are farthest from one another, should the third be lost.
    """
    pairs = combinations(at, 2)
    return max((round_trip_ms(one.region, other.region) for one, other in pairs), default=0.0)


def _and(names: set[str]) -> str:
    return " and ".join(sorted(names))
