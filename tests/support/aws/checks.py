"""What AWS, and the real provider before it, refuse: by type of property, and by value."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.support.aws.wire import UNKNOWN

Failures = Iterator[tuple[str, str]]
"""Pairs of a property's path and what is wrong with it."""

ARN = r"arn:aws[\w-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws)?:\S+"


def shaped(held: Any, value: Any, path: str = "") -> Failures:
    """Yield where a value is not what the schema says that it holds."""
    if value == UNKNOWN:
        return
    if isinstance(held, dict) and "properties" in held:
        yield from _object(held, value, path)
    elif isinstance(held, dict):
        if not isinstance(value, dict):
            yield path, f"expected a map, got {_named(value)}"
            return
        for key, one in value.items():
            yield from shaped(held["map"], one, f"{path}.{key}")
    elif isinstance(held, list):
        if not isinstance(value, list):
            yield path, f"expected a list, got {_named(value)}"
            return
        for at, one in enumerate(value):
            yield from shaped(held[0], one, f"{path}[{at}]")
    elif not _is(held, value):
        yield path, f"expected {held} value, got {_named(value)}"


def _object(held: dict[str, Any], value: Any, path: str) -> Failures:
    if not isinstance(value, dict):
        yield path, f"expected an object, got {_named(value)}"
        return
    dot = f"{path}." if path else ""
    for name, one in value.items():
        if name.startswith("__"):
            continue
        if name not in held["properties"]:
            near = difflib.get_close_matches(name, held["properties"], 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield f"{dot}{name}", f"An argument named {name!r} is not expected here{hint}"
        else:
            yield from shaped(held["properties"][name], one, f"{dot}{name}")
    for name in held["required"]:
        if value.get(name) is None:
            yield f"{dot}{name}", f"Missing required argument: {name!r} is required"


def _is(held: str, value: Any) -> bool:
    if held == "any":
        return True
    if held == "boolean" or isinstance(value, bool):
        return held == "boolean" and isinstance(value, bool)
    if held == "integer":
        return isinstance(value, int)
    if held == "number":
        return isinstance(value, int | float)
    return isinstance(value, str)


def _named(value: Any) -> str:
    names = {bool: "a boolean", str: "a string", int: "a number", float: "a number"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")


def cidr(name: str, value: str, longest: int = 32, shortest: int = 0) -> Failures:
    """Yield why this is no CIDR block, or none of that size."""
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        yield name, f"{value!r} is not a valid CIDR block: {error}"
        return
    if network.version == 4 and not shortest <= network.prefixlen <= longest:
        sizes = f"/{shortest} and /{longest}"
        yield name, f"expected {name!r} to contain a network Value with between {sizes}: {value}"


def matches(name: str, value: str, pattern: str, what: str) -> Failures:
    """Yield that a value is not what AWS calls so."""
    if not re.fullmatch(pattern, value):
        yield name, f"invalid value for {name} ({value!r}): {what}"


def one_of(name: str, value: Any, *allowed: Any) -> Failures:
    """Yield that a value is none of those."""
    if value is not None and value not in allowed:
        yield name, f"expected {name} to be one of {list(allowed)}, got {value!r}"


def between(name: str, value: int | None, least: int, most: int) -> Failures:
    """Yield that a number is out of its range."""
    if value is not None and not least <= value <= most:
        yield name, f"expected {name} to be in the range ({least} - {most}), got {value}"


def policy(name: str, value: str | None, principals: bool | None = None) -> Failures:
    """Yield why this is no policy document of IAM's.

    `principals`: whether its statements must (a resource's, a role's trust), or must not (an
    identity's) name principals; None where it does not matter.
    """
    if value is None:
        return
    try:
        document = json.loads(value)
    except ValueError:
        yield name, f"{name!r} contains an invalid JSON policy"
        return
    if not isinstance(document, dict) or document.get("Version", "2012-10-17") not in (
        *("2012-10-17", "2008-10-17"),
    ):
        yield name, "MalformedPolicyDocument: Syntax errors in policy (Version)"
        return
    statements = document.get("Statement")
    for one in statements if isinstance(statements, list) else [statements]:
        if not isinstance(one, dict) or one.get("Effect") not in ("Allow", "Deny"):
            yield name, "MalformedPolicyDocument: a Statement needs the Effect Allow or Deny"
            continue
        if not {"Action", "NotAction"} & one.keys():
            yield name, "MalformedPolicyDocument: a Statement needs an Action"
        named = bool({"Principal", "NotPrincipal"} & one.keys())
        if principals is True and not named:
            yield name, "MalformedPolicyDocument: Missing required field Principal"
        if principals is False and named:
            yield name, "MalformedPolicyDocument: Policy document should not specify a principal"


def tags(value: dict[str, Any]) -> Failures:
    """Yield what AWS refuses of tags."""
    if len(value) > 50:
        yield "tags", f"TooManyTags: {len(value)} tags; a resource may have 50"
    for key, one in value.items():
        if key.startswith("aws:"):
            yield f"tags.{key}", "InvalidParameterValue: Tag keys starting with 'aws:' are reserved"
        if not 1 <= len(key) <= 128:
            yield f"tags.{key}", "InvalidParameterValue: a tag key has 1 to 128 characters"
        if one != UNKNOWN and len(str(one)) > 256:
            yield f"tags.{key}", "InvalidParameterValue: a tag value has at most 256 characters"
