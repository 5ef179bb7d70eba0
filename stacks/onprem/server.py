"""A server as a resource: provisioned when it is made or changed, audited when it is looked at.

It was there before, and stays: to delete it is to hand it back as it was. A box that does not
answer stays in the state, with that as its drift.
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
from opsctl.provision.results import ProvisionedHost
from stacks.onprem import apart, drift, sharing
from stacks.onprem.boxes import Found, Properties
from stacks.onprem.design import ServerArgs

TOLD = ("site", "role", "rack")
"""Properties that the environment has of a server, and the server knows nothing of."""
DECLARED = ("name", "address", "port", "user", "key", "host_key", "machine", "reboot", "owner")

_readings = sharing.Shared(apart.found)


class Servers(ResourceProvider):
    """Provisions servers, audits them, hands them back."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare what is wanted with what was declared last, and with what was read."""
        return DiffResult(changes=differs(olds, news), replaces=[], delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Provision a server that this stack did not have."""
        done = apart.provision(props, "apply", props["machine"])
        return CreateResult(id_=done.machine_id, outs=_after(props, done))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Provision it again: what holds is left alone, what differs is made so."""
        moved = (olds["address"], olds["port"]) != (news["address"], news["port"])
        # At the same address another machine-id is the same box, installed anew.
        machine = news["machine"] or (olds.get("machine_id") or "" if moved else "")
        return UpdateResult(outs=_after(news, apart.provision(news, "apply", machine)))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Audit it."""
        environment = str(props["environment"])
        seen = _readings.of(props, lambda: sharing.roster(environment))
        outs = observed(props, seen)
        return ReadResult(id_=id_, outs=outs, inputs={**_inputs(props), "drift": outs["drift"]})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Put it back to what it was before, and release it; one that is another's is let be."""
        name = str(props["name"])
        seen = apart.found({name: props})[name]
        if seen.failure is not None:
            raise OpsctlError(f"{name}: {seen.failure}", hint=seen.failure.hint)
        if seen.owner != props["owner"]:
            return
        apart.provision(props, "rollback", "")
        left = apart.found({name: props})[name]
        if left.owner == props["owner"]:
            raise OpsctlError(
                f"{name} is not yet as it was before: some of it takes a reboot",
                hint="write `reboot: true` in trading:onprem, or reboot it, and do this again",
            )


class Server(Resource, module="onprem", name="Server"):
    """A server of one's own."""

    machine_id: pulumi.Output[str]
    digest: pulumi.Output[str]
    drift: pulumi.Output[Mapping[str, str]]

    def __init__(
        self,
        name: str,
        environment: str,
        args: ServerArgs,
        owner: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a server; `owner` is what its claim is to say."""
        props = {
            **args.properties(),
            "environment": environment,
            "owner": owner,
            "drift": {},
            "machine_id": None,
            "digest": None,
        }
        super().__init__(Servers(), name, props, opts)


def differs(olds: Properties, news: Properties) -> bool:
    """Return whether a server is to be provisioned, or told of differently."""
    compared = (*DECLARED, *TOLD, "wants", "profile")
    return bool(olds.get("drift")) or any(olds.get(key) != news.get(key) for key in compared)


def observed(props: Properties, seen: Found) -> dict[str, Any]:
    """Return the properties of a server after a reading."""
    if seen.failure is not None:
        return {**props, "drift": seen.drift}
    known = props.get("machine_id") or seen.machine  # a killed creation never came to know it
    differences = {
        **drift.of_owner(seen.owner, str(props["owner"])),
        **drift.of_machine(seen.machine, props["machine"] or known),
        **seen.drift,
    }
    return {**props, "machine_id": known, "digest": seen.profile, "drift": differences}


def _after(props: Properties, done: ProvisionedHost) -> dict[str, Any]:
    not_holding = done.after.not_holding if done.after else ()
    return {
        **props,
        "machine_id": done.machine_id,
        "digest": done.digest,
        "drift": drift.of_findings(not_holding),
    }


def _inputs(props: Properties) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key not in ("machine_id", "digest")}
