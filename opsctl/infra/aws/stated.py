"""What a stack made on AWS, as its state has it: values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opsctl.infra.steps import name_of
from opsctl.model.value import Value


class Stated(Value):
    """A resource that exists, as the state of its stack remembers it."""

    type: str
    name: str
    """As it is declared: `trading-a-data`."""
    id: str
    region: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


def stated(deployment: Mapping[str, Any] | None) -> tuple[Stated, ...]:
    """Return the resources of AWS in an exported state; what is half made or half gone is none."""
    there = (deployment or {}).get("resources") or ()
    regions = {
        one["urn"]: str((one.get("inputs") or {}).get("region", ""))
        for one in there
        if one["type"] == "pulumi:providers:aws"
    }
    return tuple(
        Stated(
            type=one["type"],
            name=name_of(one["urn"]),
            id=str(one["id"]),
            region=regions.get(str(one.get("provider", "")).rpartition("::")[0], ""),
            inputs=one.get("inputs") or {},
            outputs=one.get("outputs") or {},
        )
        for one in there
        if one["type"].startswith("aws:") and one.get("id") and not one.get("delete")
    )
