"""What `pulumi_aws` declares of each resource type that the tests' provider serves.

The properties of a type, which of them are required and what each holds are read from the
classes of the package, so that the provider refuses what the real one refuses. Importing
those classes takes a second, and an engine starts one provider a region: they are read once
and kept in `schema.json` (`python -m tests.support.aws.schema --write`; a test compares).
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
import sys
import typing
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("schema.json")

SERVED = {
    "budgets": ("Budget",),
    "cloudwatch": ("LogGroup", "MetricAlarm"),
    "ebs": ("Volume",),
    "ec2": (
        *("Eip", "FlowLog", "Instance", "InternetGateway", "LaunchTemplate", "NatGateway"),
        *("PlacementGroup", "Route", "RouteTable", "RouteTableAssociation", "SecurityGroup"),
        *("Subnet", "VolumeAttachment", "Vpc", "VpcEndpoint", "VpcPeeringConnection"),
        "VpcPeeringConnectionAccepter",
    ),
    "iam": (
        *("InstanceProfile", "OpenIdConnectProvider", "Role", "RolePolicy"),
        "RolePolicyAttachment",
    ),
    "kms": ("Alias", "Key"),
    "rds": ("Instance", "ParameterGroup", "SubnetGroup"),
    "route53": ("HealthCheck", "Record", "Zone"),
    "s3": (
        *("Bucket", "BucketLifecycleConfiguration", "BucketObjectLockConfiguration"),
        *("BucketPolicy", "BucketPublicAccessBlock", "BucketReplicationConfig"),
        *("BucketServerSideEncryptionConfiguration", "BucketVersioning"),
    ),
    "secretsmanager": ("Secret",),
    "sns": ("Topic", "TopicSubscription"),
    "vpc": ("SecurityGroupEgressRule", "SecurityGroupIngressRule"),
}
"""The types, by the module of the package that has them."""


@functools.cache
def read() -> dict[str, dict[str, Any]]:
    """Return, for each token, its `inputs`, those `required`, and its `outputs`.

    An input is "string", "integer", "number", "boolean", "any", [what its items are],
    {"map": what its values are}, or {"properties": {...}, "required": [...]}.
    """
    kept: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return kept


def derive() -> dict[str, dict[str, Any]]:
    """Read the same from the package."""
    found = {}
    for module, names in SERVED.items():
        for name in names:
            with warnings.catch_warnings(action="ignore"):  # of modules beside ours
                package = importlib.import_module(f"pulumi_aws.{module}.{_snake(name)}")
            # Where a nested type has the plain name already, Pulumi calls ours otherwise.
            own = getattr(package, f"{name}InitArgs", None) or getattr(package, f"{name}Args")
            inputs = _object(own)
            state = _object(getattr(package, f"_{name}State"))["properties"]
            token = f"aws:{module}/{name[0].lower()}{name[1:]}:{name}"
            found[token] = {
                "inputs": inputs["properties"],
                "required": inputs["required"],
                "outputs": sorted(set(state) - set(inputs["properties"])),
            }
    return found


def text() -> str:
    """Return what the file should hold."""
    lines = ",\n".join(
        f"{json.dumps(token)}: {json.dumps(one, sort_keys=True)}"
        for token, one in sorted(derive().items())
    )
    return f"{{\n{lines}\n}}\n"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _object(cls: type[Any]) -> dict[str, Any]:
    from pulumi import _types

    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    names = _types.input_type_py_to_pulumi_names(cls)
    scope = {**vars(sys.modules[cls.__module__]), "Output": _Output, "T": Any}
    inputs = sys.modules.get(f"{cls.__module__.rpartition('.')[0]}._inputs")
    hints = typing.get_type_hints(cls.__init__, {**(vars(inputs) if inputs else {}), **scope})
    return {
        "properties": {names[one.name]: _held(hints[one.name]) for one in parameters},
        "required": sorted(
            names[one.name] for one in parameters if one.default is inspect.Parameter.empty
        ),
    }


class _Output(typing.Generic[typing.TypeVar("T")]):  # type: ignore[misc]
    """In place of Pulumi's, which these modules name without importing."""


def _held(hint: Any) -> Any:
    """Say what a property of such a type holds, its wrappings taken off."""
    simple = {str: "string", int: "integer", float: "number", bool: "boolean"}
    if hint in simple:
        return simple[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return _held(args[0])
    if origin is Sequence:
        return [_held(args[0])]
    if origin is Mapping:
        return {"map": _held(args[1])}
    if inspect.isclass(hint) and hint.__name__.endswith("Args"):
        return _object(hint)
    return "any"


if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text(text())
    elif FILE.read_text() != text():
        sys.exit(f"{FILE.name} is not what pulumi_aws declares: pass --write")
