"""Reading what is declared of a resource, where a part of it may not be known yet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from opsctl.infra.previewed import SECRET, UNKNOWN, Action, Preview, Resource

BUCKET = "aws:s3/bucket:Bucket"
DATABASE = "aws:rds/instance:Instance"
HOST = "aws:ec2/instance:Instance"
KEY = "aws:kms/key:Key"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PROVIDER = "pulumi:providers:aws"
ROLE = "aws:iam/role:Role"
SECRET_STORE = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type of resource
SUBNET = "aws:ec2/subnet:Subnet"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
TOPIC = "aws:sns/topic:Topic"
VOLUME = "aws:ebs/volume:Volume"
VPC = "aws:ec2/vpc:Vpc"
ZONE = "aws:route53/zone:Zone"

STATEFUL = (BUCKET, DATABASE, KEY, SECRET_STORE, VOLUME, ZONE)
"""What holds data, or without which data cannot be read or found."""


def kept(preview: Preview, *types: str) -> Iterator[Resource]:
    """Yield the resources of these types that are there after the update."""
    for one in preview.resources:
        if one.type in types and one.action is not Action.DELETE:
            yield one


def unknown(value: Any) -> bool:
    """Whether a value cannot be read: not determined yet, or a secret."""
    return isinstance(value, str) and value in (UNKNOWN, SECRET)


def at(inputs: Any, path: str) -> Any:
    """Return what is at `rootBlockDevice.encrypted`; None: nothing; UNKNOWN where it may be."""
    found = inputs
    for word in path.split("."):
        if unknown(found):
            return UNKNOWN
        if isinstance(found, list) and len(found) == 1:  # a block that is given once
            found = found[0]
        if not isinstance(found, dict):
            return None
        found = found.get(word)
    return UNKNOWN if unknown(found) else found


def each(inputs: Any, path: str) -> list[Any] | None:
    """Return the items at a path, none where there is nothing; None where that is unknown."""
    found = at(inputs, path)
    if found is None:
        return []
    if unknown(found):
        return None
    return list(found) if isinstance(found, list | tuple) else [found]


def truth(value: Any) -> bool | None:
    """Return whether it says yes, as a word or a truth value; None where that is unknown."""
    if unknown(value):
        return None
    return value is True or (isinstance(value, str) and value.lower() == "true")


def tags(one: Resource) -> dict[str, Any] | None:
    """Return the tags of a resource, with the provider's; None where they are unknown."""
    found: dict[str, Any] = {}
    for key in ("tagsAll", "tags"):
        value = at(one.inputs, key)
        if isinstance(value, dict):
            found |= value
        elif unknown(value) and key == "tags":
            return None
    return found


def companions(preview: Preview, owner: Resource, kind: str, path: str) -> list[Resource] | None:
    """Return the resources of a type that say something of another, to which `path` refers.

    While the owner is not made, the reference is unknown: then it is told by its place, a child
    of the owner or beside it by its name. None: there is none, but one that might be.
    """
    known = {owner.id, *(owner.inputs.get(key) for key in ("bucket", "name"))} - {"", None}
    found, strays = [], False
    for one in kept(preview, kind):
        value = at(one.inputs, path)
        if not unknown(value):
            if isinstance(value, str) and value in known:
                found.append(one)
        elif (whose := _beside(preview, one, owner.type)) is None:
            strays = True
        elif whose.urn == owner.urn:
            found.append(one)
    return None if strays and not found else found


def _beside(preview: Preview, one: Resource, kind: str) -> Resource | None:
    """Return whose companion it is by its place; None where it might be of several, or none.

    Beside its owner: of the same parent, and alone in sharing the most leading words of names.
    """
    near: list[tuple[tuple[int, int], Resource]] = []
    for owner in kept(preview, kind):
        if one.parent == owner.urn:
            return owner
        shared = _shared(one.name, owner.name)
        if shared and one.parent == owner.parent:
            near.append(((shared, -len(owner.name.split("-"))), owner))
    best = max((rank for rank, _ in near), default=None)
    owners = [owner for rank, owner in near if rank == best]
    return owners[0] if len(owners) == 1 else None


def _shared(one: str, other: str) -> int:
    """Return how many words two names share at their beginning: `a-vpc`, `a-flow-log`: 1."""
    words = zip(one.split("-"), other.split("-"), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], words)))
