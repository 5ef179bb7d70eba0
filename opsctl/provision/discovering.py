"""The first declaration of servers that are there already: `trading:onprem`, as a file; pure.

It can be deployed as it is: one site, one server to trade on, the others spare. What was found of
each stands beside it as a comment, for the person who goes on from there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import yaml

from opsctl.model.profile.box import Box
from opsctl.model.profile.cpus import listed
from opsctl.model.tiers import LatencyTier
from opsctl.provision.failing import Failure
from opsctl.provision.inventory import SSH_PORT, BoxHost, Inventory
from opsctl.provision.results import Result

SITE = "a"
RACK = "rack-1"
_NAME = re.compile(r"[^a-z0-9]+")


class Server(Result):
    """A server as it was found."""

    name: str
    """In the declaration: that of the inventory, in lower case, with dashes."""
    host: str
    """In the inventory."""
    address: str
    machine: str
    owner: str
    """Whose it is, by its claim; empty: nobody's."""


class Missed(Result):
    """A server that could not be read, and is not declared."""

    host: str
    failure: Failure


class Discovered(Result):
    """What a look at servers came to."""

    inventory: str
    file: str = ""
    """Where the declaration was written; empty: nowhere."""
    servers: tuple[Server, ...]
    missed: tuple[Missed, ...]
    declaration: str


def discovered(
    inventory: Inventory,
    boxes: Mapping[str, Box],
    failures: Mapping[str, Failure],
    keys: Mapping[str, str],
) -> Discovered:
    """Return the declaration of the boxes that were read; `keys` has host keys, by place."""
    hosts = {host.name: host for host in inventory.hosts}
    names = _names(boxes)
    read = [(names[name], hosts[name], box) for name, box in boxes.items()]
    return Discovered(
        inventory=inventory.file,
        servers=tuple(
            Server(
                name=name,
                host=host.name,
                address=host.address,
                machine=box.machine_id,
                owner=box.owner,
            )
            for name, host, box in read
        ),
        missed=tuple(Missed(host=host, failure=why) for host, why in failures.items()),
        declaration="\n".join(_written(inventory, read, failures, keys)) + "\n",
    )


def _written(
    inventory: Inventory,
    read: Sequence[tuple[str, BoxHost, Box]],
    failures: Mapping[str, Failure],
    keys: Mapping[str, str],
) -> Iterable[str]:
    user = _usual(host.user for _, host, _ in read)
    key = _usual(host.key for _, host, _ in read)
    tier = _usual(str(host.tier or "") for _, host, _ in read) or LatencyTier.WEEKLY
    racks = dict.fromkeys(_rack(host) for _, host, _ in read)
    yield f"# Written by opsctl stack discover, from {inventory.file}."
    yield "# It can be deployed as it is; correct racks, sites, tier and dr to what they are."
    yield "config:"
    yield "  trading:format: 1"
    yield f"  trading:tier: {tier}"
    yield "  trading:dr: cold  # one site; hot and warm take two that trade and a witness"
    yield "  trading:target: docker"
    yield "  trading:infrastructure: onprem"
    yield "  trading:onprem:"
    yield f"    owner: {_said(_usual(host.owner for _, host, _ in read))}  # who answers for it"
    if user:
        yield f"    user: {_said(user)}"
    if key.startswith(("/", "~")):
        yield f"    key: {_said(key)}"
    yield "    racks:"
    for rack in racks:
        yield f'      {rack}: {{site: {SITE}, place: ""}}  # where? A place fails as a whole'
    yield "    servers:"
    for at, (name, host, box) in enumerate(read):
        yield from _server(name, host, box, keys.get(host.place, ""), user=user, tier=str(tier))
        if at:
            yield "        role: spare"
        if host.key not in ("", key):
            yield _remark(f"its key is {host.key}: let ~/.ssh/config name it")
    for name, failure in failures.items():
        yield _remark(f"{name} is not declared, it could not be read: {failure}")


def _server(name: str, host: BoxHost, box: Box, key: str, *, user: str, tier: str) -> Iterable[str]:
    cores = len({(cpu.socket, cpu.core) for cpu in box.cpus})
    yield f"      {name}:"
    yield _remark(
        f"{box.hostname}: {box.distribution} {box.version}, {box.kernel}, "
        f"{'bare metal' if box.virtual == 'none' else box.virtual}"
    )
    yield _remark(
        f"CPUs {listed(cpu.cpu for cpu in box.cpus)} on {cores} cores, "
        f"{box.memory_bytes >> 20} MiB, {len(box.disks)} disks"
    )
    for nic in box.nics:
        what = "management, never tuned" if nic.management else "may carry trading"
        yield _remark(f"NIC {nic.name}: {nic.driver}, {nic.queues} queues, {what}")
    if box.owner:
        yield _remark(f"held by {box.owner}: give it back there first, or its deploy is refused")
    yield f"        rack: {_rack(host)}"
    yield f"        address: {_said(host.address)}"
    if host.port != SSH_PORT:
        yield f"        port: {host.port}"
    if host.user != user:
        yield f"        user: {_said(host.user)}"
    if host.profile or (host.tier and host.tier != tier):
        yield f"        profile: {_said(host.profile or str(host.tier))}"
    if key:
        yield f"        host_key: {_said(key.splitlines()[0])}"
    yield f'        machine: "{box.machine_id}"'


def _remark(text: str) -> str:
    """Return a comment: in one line, whatever a server says of itself."""
    return f"        # {' '.join(text.split())}"


def _names(hosts: Iterable[str]) -> dict[str, str]:
    """Return a name that a declaration takes for each host, and no two alike."""
    names: dict[str, str] = {}
    for host in hosts:
        name = base = _slug(host)
        for number in range(2, len(names) + 3):
            if name not in names.values():
                break
            name = f"{base}-{number}"
        names[host] = name
    return names


def _rack(host: BoxHost) -> str:
    """Return the rack of a host: the first of its groups that is no tier."""
    return next((_slug(group) for group in host.groups if group not in set(LatencyTier)), RACK)


def _slug(text: str) -> str:
    return _NAME.sub("-", text.lower()).strip("-")[:38] or "server"


def _usual(values: Iterable[str]) -> str:
    """Return what most say; empty where none says anything."""
    return next((value for value, _ in Counter(filter(None, values)).most_common(1)), "")


def _said(text: str) -> str:
    """Return text as YAML has it in one line."""
    dumped: str = yaml.safe_dump(text, width=10_000, default_flow_style=True)
    return dumped.removesuffix("\n").removesuffix("\n...")
