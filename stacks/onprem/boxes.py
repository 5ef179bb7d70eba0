"""Servers of a stack as boxes of Ansible: an inventory of them, one reading of all of them.

The properties of a resource say everything that it takes; whose a server is, its claim says.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from opsctl.errors import OpsctlError
from opsctl.model.profile.judge import judge
from opsctl.model.value import Value
from opsctl.provision import applying
from opsctl.provision.choosing import Chosen
from opsctl.provision.failing import Failure
from opsctl.provision.inventory import BoxHost, Inventory
from opsctl.provision.looking import look
from opsctl.provision.reading import Seen
from opsctl.provision.results import ProvisionedHost, held
from opsctl.provision.session import Reach, Selection
from stacks.onprem import drift
from stacks.onprem.drift import Drift

Properties = Mapping[str, Any]


class Found(Value):
    """What was read of a server."""

    machine: str
    """Its machine-id; empty where it could not be read."""
    owner: str
    profile: str
    """The digest of what it is to hold, with its own CPUs and NICs put in."""
    drift: Drift
    failure: Failure | None = None


class Quiet:
    """Hears how far each box is, and tells nobody: the engine shows its own progress."""

    def say(self, text: str) -> None:
        """Hear a remark."""

    def stage(self, host: str, stage: str, detail: str = "") -> None:
        """Hear that a box has come to a stage."""

    def task(self, host: str, task: str) -> None:
        """Hear what is done on a box."""


def selection(servers: Mapping[str, Properties], folder: Path) -> Selection:
    """Write an inventory of servers into a folder, and return it as read."""
    file = folder / "inventory.json"
    hosts = {}
    for name, one in servers.items():
        key = str(Path(one["key"]).expanduser()) if one["key"] else ""
        variables = {
            "ansible_host": one["address"],
            "ansible_port": int(one["port"]),
            "ansible_user": one["user"],
            "ansible_ssh_private_key_file": key,
        }
        hosts[name] = {key: value for key, value in variables.items() if value}
    file.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    boxes = {name: (_host(name, one), _profile(one)) for name, one in servers.items()}
    named = Inventory(file=str(file), hosts=tuple(host for host, _ in boxes.values()))
    return Selection(named, boxes)


def found(servers: Mapping[str, Properties]) -> dict[str, Found]:
    """Read servers, all by one run of Ansible; one that cannot be read says why.

    Raises:
        ToolMissing: Ansible or OpenSSH is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="opsctl-") as folder:
        known = look(selection(servers, Path(folder)), Reach(), Quiet())
    return {
        name: _seen(known.seen[name]) if name in known.seen else _unread(known.failures[name])
        for name in servers
    }


def provisioned(
    props: Properties, mode: Literal["apply", "rollback"], machine: str
) -> ProvisionedHost:
    """Provision one server, or put it back, with evidence.

    Raises:
        OpsctlError: it failed, or it is another machine than `machine`, which leaves it alone.
    """
    name = str(props["name"])
    with tempfile.TemporaryDirectory(prefix="opsctl-") as folder:
        chosen = selection({name: props}, Path(folder))
        asked = applying.Asked(
            reach=Reach(inventory=Path(chosen.inventory.file)),
            names=(name,),
            mode=mode,
            reboot=bool(props["reboot"]),
        )
        done = applying.provision(asked, Quiet(), _that_machine(machine), chosen).hosts[0]
    if done.failure is not None:
        raise OpsctlError(f"{name}: {done.failure}", hint=done.failure.hint)
    return done


def _that_machine(machine: str) -> applying.Go:
    """Return what refuses another machine, before anything on it is changed."""

    def go(planned: Sequence[ProvisionedHost]) -> None:
        for one in planned:
            if machine and one.machine_id != machine:
                raise OpsctlError(
                    f"{one.host} is another machine: machine-id {one.machine_id}, not {machine}",
                    hint="correct its address, or its `machine` if it was installed anew; one "
                    "that takes its place is declared under a name of its own",
                )

    return go


def _seen(seen: Seen) -> Found:
    not_holding = held(judge(seen.profile, seen.readings)).not_holding
    return Found(
        machine=seen.box.machine_id,
        owner=seen.box.owner,
        profile=seen.profile.digest(),
        drift=drift.of_findings(not_holding),
    )


def _unread(failure: Failure) -> Found:
    return Found(machine="", owner="", profile="", drift=drift.of_failure(failure), failure=failure)


def _host(name: str, one: Properties) -> BoxHost:
    return BoxHost(
        name=name,
        address=one["address"],
        port=int(one["port"]),
        user=one["user"],
        groups=(),
        tier=None,
        owner=str(one.get("owner", "")),
        host_key=one["host_key"],
        profile="",
    )


def _profile(one: Properties) -> Chosen:
    return Chosen.model_validate(one["profile"])
