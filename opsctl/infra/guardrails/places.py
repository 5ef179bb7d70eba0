"""Rules on where resources are: regions, and what fails together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.reading import (
    HOST,
    PROVIDER,
    SUBNET,
    VOLUME,
    at,
    kept,
    tags,
    unknown,
)
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import Action, Preview, Resource
from opsctl.model.tiers import DR, DrTier

_ZONE = re.compile(r"^([a-z]{2}(?:-[a-z]+)+-[0-9])[a-z]$")


def _regions(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    for one in preview.resources:
        if one.action is Action.DELETE:
            continue
        if one.type == PROVIDER and at(one.inputs, "region") is None:
            yield Wrong(one, "names no region: it would take the caller's", unknown=True)
        if not one.type.startswith("aws:") and one.type != PROVIDER:
            continue
        for path in ("region", "peerRegion"):
            region = at(one.inputs, path)
            if unknown(region):
                yield Wrong(one, f"its {path} is known only after", unknown=True)
            elif region is not None and region not in facts.regions:
                yield Wrong(one, f"is in {region}, and allowed are {', '.join(facts.regions)}")
        zone = _ZONE.match(str(at(one.inputs, "availabilityZone")))
        if zone and zone[1] not in facts.regions:
            yield Wrong(one, f"is in {zone[1]}, and allowed are {', '.join(facts.regions)}")


def _apart(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.dr is DrTier.COLD:
        return
    homes: dict[str, str] = {}
    for planned, zone in sorted(facts.domains.items()):
        if zone in homes:
            yield Wrong(None, f"sites {homes[zone]} and {planned} are designed to share {zone}")
        homes.setdefault(zone, planned)
    found: dict[str, dict[str, Resource]] = {}
    for one in kept(preview, HOST, VOLUME):
        site, at_zone = _site(one), _zone(preview, one)
        if site is None or at_zone is None:
            yield Wrong(one, "in which zone of which site it will be is not known", unknown=True)
            continue
        found.setdefault(at_zone, {}).setdefault(site, one)
        designed = facts.domains.get(site, at_zone)
        if at_zone != designed:
            yield Wrong(one, f"is in {at_zone}, and site {site} is designed to be in {designed}")
    for shared, sites in sorted(found.items()):
        first, *others = sorted(sites)
        for other in others:
            yield Wrong(sites[other], f"site {other} shares {shared} with site {first}")
    seen = {site for sites in found.values() for site in sites}
    if seen and (missing := [site for site in DR[facts.dr].sites if site not in seen]):
        yield Wrong(None, f"no host is declared for site {', '.join(missing)}")


def _site(one: Resource) -> str | None:
    found = (tags(one) or {}).get("site")
    return None if found is None or unknown(found) else str(found)


def _zone(preview: Preview, one: Resource) -> str | None:
    """Return the zone of a host or volume; None where that is not known.

    A host whose subnet is yet to be made is where all subnets of its site are, if in one zone.
    """
    said = at(one.inputs, "availabilityZone")
    if said is not None and not unknown(said):
        return str(said)
    subnet = at(one.inputs, "subnetId")
    among = [
        each
        for each in kept(preview, SUBNET)
        if (each.id == subnet if not unknown(subnet) else _site(each) == _site(one))
    ]
    zones = {str(at(each.inputs, "availabilityZone")) for each in among}
    only = zones.pop() if len(zones) == 1 else None
    return None if only is None or unknown(only) or only == "None" else only


RULES = (
    Rule(
        "AWS-REG-001",
        "Everything is in a region of the environment",
        Severity.REFUSE,
        "Data may be bound to a country, and nobody looks for leftovers in other regions.",
        sources.BOUNDARIES,
        "Declare it with the provider of a region of `trading:aws`, or name the region there.",
        _regions,
    ),
    Rule(
        "AWS-FD-001",
        "Sites that stand in for one another share no zone",
        Severity.REFUSE,
        "A duplicate that fails with its original is none: the tier would be a claim.",
        sources.LOCATIONS,
        "Place each site of a hot or warm environment in a zone or region of its own.",
        _apart,
    ),
)
