"""The functions that stacks call while they declare: zones, images, identities, parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.aws.cloud import Cloud, Refused
from tests.support.aws.kind import call, deep_lower, deep_upper
from tests.support.aws.wire import Properties


def caller_identity(cloud: Cloud, arguments: Properties) -> Properties:
    """Say whose credentials they are."""
    found = cloud("sts").get_caller_identity()
    account = found["Account"]
    return {"accountId": account, "arn": found["Arn"], "id": account, "userId": found["UserId"]}


def availability_zones(cloud: Cloud, arguments: Properties) -> Properties:
    """List the zones of the region."""
    region = arguments.get("region") or cloud.region
    zones = cloud("ec2", region).describe_availability_zones(
        **call(arguments, allAvailabilityZones="AllAvailabilityZones"),
        Filters=deep_upper(arguments.get("filters") or []),
    )["AvailabilityZones"]
    hidden = set(arguments.get("excludeNames") or [])
    zones = [
        one
        for one in zones
        if one["ZoneName"] not in hidden and one["State"] == arguments.get("state", one["State"])
    ]
    return {
        **arguments,
        "id": region,
        "region": region,
        "names": [one["ZoneName"] for one in zones],
        "zoneIds": [one["ZoneId"] for one in zones],
        "groupNames": sorted({one.get("GroupName", region) for one in zones}),
    }


def region(cloud: Cloud, arguments: Properties) -> Properties:
    """Say which region the provider works in."""
    name = arguments.get("region") or cloud.region
    return {
        "id": name,
        "name": name,
        "region": name,
        "endpoint": f"ec2.{name}.amazonaws.com",
        "description": name,
    }


def ami(cloud: Cloud, arguments: Properties) -> Properties:
    """Find one image; several are refused unless the newest is asked for."""
    found = cloud("ec2", arguments.get("region", "")).describe_images(
        Owners=arguments.get("owners") or [],
        Filters=deep_upper(arguments.get("filters") or []),
    )["Images"]
    if not found:
        raise Refused("Your query returned no results. Please change your search criteria")
    if len(found) > 1 and not arguments.get("mostRecent"):
        raise Refused("Your query returned more than one result. Please try a more specific search")
    newest = max(found, key=lambda one: one.get("CreationDate", ""))
    plain = {
        name: one
        for name, one in deep_lower(newest).items()
        if isinstance(one, str | int | bool) and name != "tags"
    }
    return {**arguments, **plain, "id": newest["ImageId"], "region": cloud.region}


def parameter(cloud: Cloud, arguments: Properties) -> Properties:
    """Read a parameter, such as the newest image of a distribution."""
    found = cloud("ssm", arguments.get("region", "")).get_parameter(
        Name=arguments["name"], WithDecryption=arguments.get("withDecryption", True)
    )["Parameter"]
    return {
        **arguments,
        "id": found["Name"],
        "arn": found.get("ARN"),
        "type": found["Type"],
        "value": found["Value"],
        "insecureValue": found["Value"],
        "version": found["Version"],
        "region": cloud.region,
    }


def policy_document(cloud: Cloud, arguments: Properties) -> Properties:
    """Write a policy of IAM's from its statements."""
    statements = [_statement(one) for one in arguments.get("statements") or []]
    document = {"Version": arguments.get("version", "2012-10-17"), "Statement": statements}
    return {
        **arguments,
        "id": "policy",
        "json": json.dumps(document, indent=2),
        "minifiedJson": json.dumps(document, separators=(",", ":")),
    }


def _statement(one: Properties) -> dict[str, Any]:
    def plain(values: list[str]) -> Any:
        return values[0] if len(values) == 1 else sorted(values)

    names = {
        "actions": "Action",
        "notActions": "NotAction",
        "resources": "Resource",
        "notResources": "NotResource",
    }
    statement: dict[str, Any] = {"Effect": one.get("effect", "Allow")}
    if "sid" in one:
        statement["Sid"] = one["sid"]
    statement |= {theirs: plain(one[ours]) for ours, theirs in names.items() if one.get(ours)}
    for principal in one.get("principals") or []:
        statement.setdefault("Principal", {})[principal["type"]] = plain(principal["identifiers"])
    for condition in one.get("conditions") or []:
        tests = statement.setdefault("Condition", {}).setdefault(condition["test"], {})
        tests[condition["variable"]] = plain(condition["values"])
    if statement.get("Principal") == {"*": "*"}:
        statement["Principal"] = "*"
    return statement


FUNCTIONS: dict[str, Callable[[Cloud, Properties], Properties]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getAvailabilityZones:getAvailabilityZones": availability_zones,
    "aws:index/getRegion:getRegion": region,
    "aws:ec2/getAmi:getAmi": ami,
    "aws:ssm/getParameter:getParameter": parameter,
    "aws:iam/getPolicyDocument:getPolicyDocument": policy_document,
}
