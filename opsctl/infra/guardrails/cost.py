"""What an environment would cost in a year, estimated, and the rule that holds it to its band."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from opsctl.infra.guardrails import prices, sources
from opsctl.infra.guardrails.reading import (
    DATABASE,
    HOST,
    TEMPLATE,
    VOLUME,
    at,
    each,
    kept,
    truth,
    unknown,
)
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import UNKNOWN, Preview, Resource
from opsctl.model.value import Value

_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"


class Line(Value):
    """What one resource costs."""

    resource: str
    type: str
    what: str
    """`c7i.4xlarge`, `gp3, 100 GiB`."""
    usd_year: float | None
    """None: nothing here knows its price."""


class Estimate(Value):
    """What an environment would cost by list prices; what depends on use is not in it."""

    usd_year: float
    """Of what is known: at least."""
    as_of: str = prices.AS_OF
    region: str
    """The dearest of the sites' regions, at whose prices everything is reckoned."""
    lines: tuple[Line, ...]

    @property
    def unpriced(self) -> tuple[Line, ...]:
        """What has a price that is not known here."""
        return tuple(line for line in self.lines if line.usd_year is None)


def estimate(preview: Preview, facts: Facts) -> Estimate:
    """Return what would be there after the update, and what it costs in a year."""
    known = [region for region in _priced_at(facts) if region in prices.REGIONS]
    region = max(known, key=lambda name: prices.REGIONS[name], default="us-east-1")
    factor = prices.REGIONS[region]
    lines: list[Line] = []
    for one in kept(preview, *_PRICED):
        for what, usd in _PRICED[one.type](preview, one):
            usd_year = None if usd is None else round(usd * factor, 2)
            lines.append(Line(resource=one.name, type=one.type, what=what, usd_year=usd_year))
    dedicated = [one for one in kept(preview, HOST) if at(one.inputs, "tenancy") == "dedicated"]
    if dedicated:
        fee = prices.DEDICATED_REGION_HOUR * prices.HOURS_YEAR * len(_priced_at(facts))
        what = "dedicated tenancy, a fee for each region"
        lines.append(Line(resource=preview.environment, type=HOST, what=what, usd_year=fee))
    total = sum(line.usd_year for line in lines if line.usd_year is not None)
    return Estimate(usd_year=round(total, 2), region=region, lines=tuple(lines))


def _priced_at(facts: Facts) -> tuple[str, ...]:
    """Return the regions of the sites: where only copies of buckets lie, nothing costs by itself.

    Where nothing says in which zones the sites are, it may be any of the environment's.
    """
    of_sites = {zone[:-1] for zone in facts.domains.values()}
    return tuple(one for one in facts.regions if one in of_sites) or facts.regions


Priced = Iterator[tuple[str, float | None]]
"""What it is that costs, and USD a year in us-east-1."""


def _host(preview: Preview, one: Resource) -> Priced:
    kind = at(one.inputs, "instanceType") or _of_template(preview, one)
    hour = None if unknown(kind) else prices.instance_hour(str(kind))
    if hour is not None and at(one.inputs, "tenancy") == "dedicated":
        hour *= prices.DEDICATED
    yield str(kind), None if hour is None else hour * prices.HOURS_YEAR
    for path in ("rootBlockDevice", "ebsBlockDevices"):
        disks = each(one.inputs, path)
        for disk in [UNKNOWN] if disks is None else disks:
            yield _disk(at(disk, "volumeType"), at(disk, "volumeSize"), disk)


def _of_template(preview: Preview, one: Resource) -> Any:
    """Return the instance type that the template of a host names; UNKNOWN where several may."""
    name = at(one.inputs, "launchTemplate.id"), at(one.inputs, "launchTemplate.name")
    found = [
        each
        for each in kept(preview, TEMPLATE)
        if any(map(unknown, name)) or each.id in name or each.inputs.get("name") in name
    ]
    kinds = {at(each.inputs, "instanceType") for each in found}
    return kinds.pop() if len(kinds) == 1 else UNKNOWN


def _volume(_: Preview, one: Resource) -> Priced:
    yield _disk(at(one.inputs, "type"), at(one.inputs, "size"), one.inputs)


def _disk(kind: Any, gib: Any, inputs: Any) -> tuple[str, float | None]:
    kind = kind or "gp2"  # what AWS takes where nothing is said
    if not isinstance(gib, int | float):
        return f"{kind}, of a size that is not known", None
    month = prices.GIB_MONTH.get(kind)
    iops, mibs = at(inputs, "iops"), at(inputs, "throughput")
    if month is None or unknown(iops) or unknown(mibs):
        return f"{kind}, {gib:.0f} GiB", None
    month *= gib
    more = float(iops or 0) - prices.INCLUDED_IOPS.get(kind, 0)
    month += max(0.0, more) * prices.IOPS_MONTH.get(kind, 0.0)
    if kind == "gp3":
        over = float(mibs or 0) - prices.GP3_INCLUDED_MIBS
        month += max(0.0, over) * prices.GP3_MIBS_MONTH
    return f"{kind}, {gib:.0f} GiB", month * prices.MONTHS_YEAR


def _database(_: Preview, one: Resource) -> Priced:
    kind = at(one.inputs, "instanceClass")
    zones = truth(at(one.inputs, "multiAz"))
    times = 1 if zones is False else 2  # where it is not known, the dearer
    hour = None if unknown(kind) else prices.database_hour(str(kind))
    yield str(kind), None if hour is None else times * hour * prices.HOURS_YEAR
    stored, gib = at(one.inputs, "storageType") or "gp2", at(one.inputs, "allocatedStorage")
    if at(one.inputs, "replicateSourceDb") is not None and gib is None:
        return  # as large as what it copies, which is counted
    month = prices.DATABASE_GIB_MONTH.get(str(stored))
    if month is None or not isinstance(gib, int | float):
        yield f"{stored} storage", None
    else:
        yield f"{stored} storage, {gib:.0f} GiB", times * month * gib * prices.MONTHS_YEAR


def _endpoint(_: Preview, one: Resource) -> Priced:
    if at(one.inputs, "vpcEndpointType") == "Interface":
        zones = len(each(one.inputs, "subnetIds") or [None])
        yield "interface endpoint", zones * prices.ENDPOINT_HOUR * prices.HOURS_YEAR


def _by_the_hour(_: Preview, one: Resource) -> Priced:
    yield "by the hour", prices.HOUR[one.type] * prices.HOURS_YEAR


def _by_the_month(_: Preview, one: Resource) -> Priced:
    yield "by the month", prices.MONTH[one.type] * prices.MONTHS_YEAR


_PRICED: dict[str, Callable[[Preview, Resource], Priced]] = {
    HOST: _host,
    VOLUME: _volume,
    DATABASE: _database,
    _ENDPOINT: _endpoint,
    **dict.fromkeys(prices.HOUR, _by_the_hour),
    **dict.fromkeys(prices.MONTH, _by_the_month),
}


def _band(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    _, most = facts.cost_usd_year
    found = estimate(preview, facts).usd_year
    if most is not None and found > most:
        yield Wrong(
            None,
            f"would cost about ${found:,.0f} a year by list prices of {prices.AS_OF}, "
            f"and its band ends at ${most:,}",
        )


def _priced(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    by_name = {(one.type, one.name): one for one in kept(preview, *_PRICED)}
    for line in estimate(preview, facts).unpriced:
        one = by_name[line.type, line.resource]
        yield Wrong(one, f"what {line.what} costs is not known here", unknown=True)
    for region in _priced_at(facts):
        if region not in prices.REGIONS:
            yield Wrong(None, f"what {region} costs is not known here", unknown=True)


def _budget(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.ephemeral:
        return  # its last day bounds what it costs
    if not any(kept(preview, "aws:budgets/budget:Budget")) and any(kept(preview, *_PRICED)):
        yield Wrong(None, "no budget is declared that tells somebody when more is spent")


RULES = (
    Rule(
        "AWS-COST-001",
        "An environment costs no more than its band",
        Severity.REFUSE,
        "A slip in a type or a count is seen here, not on the bill of a month later.",
        sources.COST_CONTROLS,
        "Choose smaller types, or the latency tier that what you run belongs to.",
        _band,
    ),
    Rule(
        "AWS-COST-002",
        "What costs has a price that is known",
        Severity.WARN,
        "An estimate that leaves something out is too low, and has to say so.",
        sources.COST_CONTROLS,
        "Look its price up, and add it to what is estimated.",
        _priced,
    ),
    Rule(
        "AWS-COST-003",
        "A budget tells somebody when more is spent",
        Severity.WARN,
        "An estimate knows nothing of traffic, requests and what others start.",
        sources.COST_CONTROLS,
        "Declare a Budget with a notification.",
        _budget,
    ),
)
