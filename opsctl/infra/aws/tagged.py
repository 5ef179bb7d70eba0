"""Which ephemeral environments an account has, by the tags of what was made for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from opsctl.infra.aws.asking import Asking, held_to
from opsctl.infra.aws.finding import GONE, Where
from opsctl.model.ephemeral import Ephemeral
from opsctl.model.value import Value
from stacks.aws.naming import EPHEMERAL_TAG, MADE_BY, MANAGED

STATES: Mapping[str, tuple[str, str, str]] = {
    "instance": (
        "describe_instances",
        "Filters",
        "Reservations[].Instances[].[InstanceId, State.Name]",
    ),
    "natgateway": ("describe_nat_gateways", "Filter", "NatGateways[].[NatGatewayId, State]"),
    "vpc-endpoint": (
        "describe_vpc_endpoints",
        "Filters",
        "VpcEndpoints[].[VpcEndpointId, State]",
    ),
    "vpc-peering-connection": (
        "describe_vpc_peering_connections",
        "Filters",
        "VpcPeeringConnections[].[VpcPeeringConnectionId, Status.Code]",
    ),
}
"""Of EC2, what is listed with its tags for an hour after its end: how its state is asked."""


class Tagged(Value):
    """What bears the tags of one ephemeral environment."""

    environment: str
    ephemeral: Ephemeral
    account: str
    regions: tuple[str, ...]
    tier: str
    dr: str
    owner: str
    """Who answers for it; `ephemeral.owner` is who made it."""
    resources: tuple[str, ...]
    """ARNs."""


def tagged(account: str, regions: Iterable[str]) -> tuple[Tagged, ...]:
    """Return the environments that `env up` has made in regions of an account, by name.

    What is ephemeral by a file is none of these: its end is a day, and its file destroys it.

    Raises:
        UsageError: these are credentials of another account.
        OpsctlError: AWS cannot be asked.
    """
    asked = Asking()
    held_to(account, asked)
    found: list[tuple[str, str, dict[str, str], str]] = []
    for region in dict.fromkeys(regions):
        where = Where(asked, region, account)
        there = dict(_there(where))
        gone = _gone(where, there)
        for arn, tags in there.items():
            if arn not in gone:
                found.append((tags.get("environment", ""), region, tags, arn))
    found.sort(key=lambda one: (one[0], one[2].get("expires", ""), one[3]))
    made = []
    for _, group in groupby(found, key=lambda one: (one[0], one[2].get("expires", ""))):
        if (one := _one(account, list(group))) is not None:
            made.append(one)
    return tuple(made)


def _there(where: Where) -> Iterator[tuple[str, dict[str, str]]]:
    wanted = [{"Key": key, "Values": [value]} for key, value in (EPHEMERAL_TAG, MANAGED)]
    for page in where.pages("resourcegroupstaggingapi", "get_resources", TagFilters=wanted):
        for one in page["ResourceTagMappingList"]:
            yield one["ResourceARN"], {tag["Key"]: tag["Value"] for tag in one["Tags"]}


def _gone(where: Where, there: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """Return the ARNs of what has ended already, and is only remembered."""
    import jmespath  # type: ignore[import-untyped]

    gone = set()
    for kind, (operation, filters, expression) in STATES.items():
        arns = {arn.rpartition("/")[2]: arn for arn in there if f":{kind}/" in arn}
        if not arns:
            continue
        names = sorted({there[arn].get("environment", "") for arn in arns.values()})
        wanted: dict[str, Any] = {filters: [{"Name": "tag:environment", "Values": names}]}
        living = {
            id_
            for page in where.pages("ec2", operation, **wanted)
            for id_, state in jmespath.search(expression, page) or ()
            if str(state).lower() not in GONE
        }
        gone |= {arn for id_, arn in arns.items() if id_ not in living}
    return frozenset(gone)


def _one(account: str, group: list[tuple[str, str, dict[str, str], str]]) -> Tagged | None:
    name, _, tags, _ = group[0]
    try:
        # Who made it is said by a tag of its own: without one it has a file.
        ephemeral = Ephemeral(owner=tags.get(MADE_BY, ""), expires=tags.get("expires", ""))
    except ValidationError:
        return None
    if not ephemeral.owner or not name:
        return None
    return Tagged(
        environment=name,
        ephemeral=ephemeral,
        account=account,
        regions=tuple(dict.fromkeys(region for _, region, _, _ in group)),
        tier=tags.get("tier", ""),
        dr=tags.get("dr", ""),
        owner=tags.get("owner", ""),
        resources=tuple(arn for _, _, _, arn in group),
    )
