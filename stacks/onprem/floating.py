"""An address that one of several servers holds, as a resource; to change its holder moves it.

The former holder gives it up first. One that does not answer is passed over: the new holder asks
the network before it takes an address, and takes none that somebody answers for.
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
from opsctl.provision.failing import Failure
from opsctl.provision.wiring import Seen
from stacks.onprem import drift, links, sharing, wires
from stacks.onprem.links import AddressArgs, Properties

KIND = "address"
DECLARED = ("name", "address", "holder", "servers", "owner")

_readings = sharing.Shared(wires.seen_of_addresses, ("address", "servers"))


class Addresses(ResourceProvider):
    """Has addresses held by one server, finds who else does, hands them back."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is wanted with what was declared last, and with what was read."""
        return DiffResult(changes=differs(olds, news), replaces=[], delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Have one server hold it; where that one does not, what was done is taken back."""
        try:
            outs = _held(props)
        except OpsctlError:
            _put_back(props, links.holds(props))
            raise
        return CreateResult(id_=str(props["name"]), outs=outs)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Move it; a server that may hold it no more is as it was before."""
        other = olds["address"] != news["address"]
        gone = set(links.holds(olds)) - (set() if other else set(links.holds(news)))
        wires.raise_of(_lasting(_put_back(olds, sorted(gone))))
        return UpdateResult(outs=_held(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask the servers, and the network, who holds it."""
        environment = str(props["environment"])
        seen = _readings.of(props, lambda: sharing.roster(environment, sharing.ADDRESSES))
        outs = {**props, "drift": links.of_address(props, seen)}
        return ReadResult(id_=id_, outs=outs, inputs=outs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Hand it back, the holder first; a server that is another's, or nobody's, is let be."""
        seen = _seen(props)
        wires.raise_of(seen.failures)
        ours = [name for name, one in seen.wires.items() if one.owner == props["owner"]]
        for some in ([props["holder"]], [one for one in ours if one != props["holder"]]):
            wires.raise_of(_put_back(props, [one for one in some if one in ours]))


class FloatingAddress(Resource, module="onprem", name="FloatingAddress"):
    """An address, the servers that may hold it, and the one that does."""

    drift: pulumi.Output[Mapping[str, str]]

    def __init__(
        self,
        name: str,
        environment: str,
        args: AddressArgs,
        owner: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare an address; `owner` is what the claims of its servers say."""
        props = {**args.properties(), "environment": environment, "owner": owner, "drift": {}}
        super().__init__(Addresses(), name, props, opts)


def differs(olds: Properties, news: Properties) -> bool:
    """Return whether an address is to be moved, or told of differently."""
    return bool(olds.get("drift")) or any(olds.get(key) != news.get(key) for key in DECLARED)


def _seen(props: Properties) -> Seen:
    name = str(props["name"])
    return wires.seen_of_addresses({name: props})[name]


def _put_back(props: Properties, servers: Any) -> dict[str, Failure]:
    return wires.put_back(KIND, props, servers, while_trading=True)


def _held(props: Properties) -> dict[str, Any]:
    """Have the holder hold it, after all others gave it up. `OpsctlError`: it does not."""
    wanted, holder = links.holds(props), str(props["holder"])
    others = {name: one for name, one in wanted.items() if name != holder}
    wires.raise_of(_lasting(wires.hold(KIND, props, others, while_trading=True)))
    only = {holder: wanted[holder]}
    wires.raise_of(wires.hold(KIND, props, only, while_trading=True))
    left = links.of_address(props, _seen(props))
    if wrong := {key: said for key, said in left.items() if not _away(key, holder)}:
        raise OpsctlError("; ".join(f"{key}: {said}" for key, said in wrong.items()))
    return {**props, "drift": left}


def _lasting(failures: Mapping[str, Failure]) -> dict[str, Failure]:
    """Return the failures of servers that were reached: of others the network is asked."""
    return {name: one for name, one in failures.items() if one.stage != "connect"}


def _away(key: str, holder: str) -> bool:
    """Return whether an entry of drift is of a server that need not answer."""
    return key.endswith(f".{drift.REACHED}") and key != f"{holder}.{drift.REACHED}"
