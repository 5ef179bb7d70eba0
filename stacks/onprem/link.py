"""A cable as a resource: its ends are set when it is made or changed, measured when looked at.

Only the interfaces that are named are touched; to delete it is to hand them back as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import (
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from opsctl.errors import OpsctlError
from opsctl.provision.wiring import Seen
from stacks.onprem import links, sharing, wires
from stacks.onprem.links import LinkArgs, Properties

KIND = "link"
DECLARED = ("name", "use", "mtu", "within_us", "ends", "port", "owner")
MEASURED = "round_trip"

_readings = sharing.Shared(wires.seen_of_links, ("ends", "mtu"))


class Links(ResourceProvider):
    """Sets links, measures them, hands them back."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is wanted with what was declared last, and with what was read."""
        return DiffResult(changes=differs(olds, news), replaces=[], delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Set its ends and measure it; one that does not hold is taken back again."""
        wires.raise_of(_seen(props).failures)
        try:
            wires.raise_of(wires.hold(KIND, props, links.ends(props)))
            outs = _holding(props)
        except OpsctlError:
            wires.put_back(KIND, props, links.ends(props))
            raise
        return CreateResult(id_=str(props["name"]), outs=outs)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Set its ends anew; a server that is an end no more is as it was before."""
        gone = set(links.ends(olds)) - set(links.ends(news))
        wires.raise_of(wires.put_back(KIND, olds, sorted(gone)))
        wires.raise_of(wires.hold(KIND, news, links.ends(news)))
        return UpdateResult(outs=_holding(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Measure it."""
        environment = str(props["environment"])
        seen = _readings.of(props, lambda: sharing.roster(environment, sharing.LINKS))
        outs = observed(props, seen)
        inputs = {key: value for key, value in outs.items() if key != MEASURED}
        return ReadResult(id_=id_, outs=outs, inputs=inputs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Hand its interfaces back; a server that is another's, or nobody's, is let be."""
        seen = _seen(props)
        wires.raise_of(seen.failures)
        ours = [name for name, one in seen.wires.items() if one.owner == props["owner"]]
        wires.raise_of(wires.put_back(KIND, props, ours))


class Link(Resource, module="onprem", name="Link"):
    """A cable between two servers, or from one to a port."""

    round_trip: pulumi.Output[Mapping[str, float]]
    """`median_us` and `least_us` when it was made or changed last; empty: not measured."""
    drift: pulumi.Output[Mapping[str, str]]

    def __init__(
        self,
        name: str,
        environment: str,
        args: LinkArgs,
        owner: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a link; `owner` is what the claims of its servers say."""
        props = {
            **args.properties(),
            "environment": environment,
            "owner": owner,
            "drift": {},
            MEASURED: None,
        }
        super().__init__(Links(), name, props, opts)


def differs(olds: Properties, news: Properties) -> bool:
    """Return whether a link is to be set anew, or told of differently."""
    return bool(olds.get("drift")) or any(olds.get(key) != news.get(key) for key in DECLARED)


def observed(props: Properties, seen: Seen) -> dict[str, Any]:
    """Return the properties of a link after a reading.

    What a packet takes is another time with every reading: it stays as it was measured when the
    link was made or changed, and is told where it is longer than it may be.
    """
    known = props.get(MEASURED) or links.round_trip(props, seen)
    return {**props, MEASURED: known, "drift": links.of_link(props, seen)}


def _seen(props: Properties) -> Seen:
    name = str(props["name"])
    return wires.seen_of_links({name: props})[name]


def _holding(props: Properties) -> dict[str, Any]:
    """Return the properties of a link that was set. `OpsctlError`: it does not hold."""
    seen = _seen(props)
    if wrong := links.of_link(props, seen):
        said = "; ".join(f"{key}: {value}" for key, value in wrong.items())
        raise OpsctlError(f"its ends were set, and it does not hold: {said}")
    return {**props, MEASURED: links.round_trip(props, seen), "drift": {}}
