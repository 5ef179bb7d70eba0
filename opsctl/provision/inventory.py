"""The inventory: which boxes there are, and the latency tier of each.

Ansible's own format in YAML, read by `ansible-inventory`, so that it means to us what it means
to a playbook. A group that bears a tier's name holds the boxes of that tier.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opsctl.errors import OpsctlError, UsageError
from opsctl.model.explain import meant
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value
from opsctl.provision import programs
from opsctl.provision.slips import slips

DEFAULT = Path("site") / "inventory.yml"
SSH_PORT = 22
LISTING_TIMEOUT_S = 60

OWNER = "opsctl_owner"
HOST_KEY = "opsctl_host_key"
PROFILE_NAME = "opsctl_profile_name"

_logger = logging.getLogger(__name__)


class BoxHost(Value):
    """One box of the inventory."""

    name: str
    address: str
    port: int
    user: str
    """Empty: as SSH's own configuration says."""
    groups: tuple[str, ...]
    tier: LatencyTier | None
    """None where no group of it bears a tier's name."""
    owner: str
    """Whose box it is to be: another owner's is refused. `opsctl_owner`, else by the file."""
    host_key: str
    """`opsctl_host_key`: its public key; empty: the one that was pinned at first contact."""
    profile: str
    """`opsctl_profile_name`: the firm's own profile; empty: that of its tier."""
    key: str = ""
    """The file of the private key that lets us in; empty: as SSH or its agent says."""
    by_ssh: bool = True
    """False of the machine that opsctl runs on: `ansible_connection: local`."""

    @property
    def place(self) -> str:
        """As known_hosts names it."""
        return self.address if self.port == SSH_PORT else f"[{self.address}]:{self.port}"


class Inventory(Value):
    """What the inventory says."""

    file: str
    hosts: tuple[BoxHost, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its boxes."""
        return tuple(host.name for host in self.hosts)


def read(file: Path | None) -> Inventory:
    """Return what an inventory says.

    Raises:
        UsageError: there is none, or it has faults; the details name each with its line.
        ToolMissing: Ansible is not installed.
    """
    path = (file or DEFAULT).absolute()
    if not path.exists():
        raise UsageError(
            f"there is no inventory {file or DEFAULT}",
            hint="name yours with --inventory FILE; "
            f"{programs.playbooks() / 'inventories' / 'example.yml'} is one to begin with",
        )
    if path.is_file() and path.suffix in (".yml", ".yaml"):
        _refuse_slips(path)
    listed = _listed(path)
    variables = listed.get("_meta", {}).get("hostvars", {})
    groups = _groups(listed)
    hosts = []
    faults = []
    for name in sorted(groups):
        host = _host(name, groups[name], variables.get(name, {}), path)
        if isinstance(host, str):
            faults.append(host)
        else:
            hosts.append(host)
    if faults:
        raise UsageError(f"{path} has faults", details=faults, hint="correct them, nothing was run")
    if not hosts:
        raise UsageError(
            f"{path} names no box",
            hint="write them under a group of their tier: all: children: hft: hosts: NAME:",
        )
    return Inventory(file=str(path), hosts=tuple(hosts))


def chosen(
    inventory: Inventory, names: Sequence[str], tier: LatencyTier | None
) -> tuple[BoxHost, ...]:
    """Return the boxes that were meant: those named, or those of a tier, or all.

    Raises:
        UsageError: a name that is unknown, no box of that tier, or a name of another tier.
    """
    for name in names:
        if name not in inventory.names:
            near = meant(name, inventory.names)
            raise UsageError(
                f"{inventory.file} has no box {name}",
                hint=f"did you mean {near}?" if near else f"it has {_few(inventory.names)}",
            )
    found = tuple(
        host
        for host in inventory.hosts
        if (not names or host.name in names) and tier in (None, host.tier)
    )
    if not found:
        said = ", ".join(f"{host.name}: {host.tier or 'none'}" for host in inventory.hosts[:10])
        raise UsageError(
            f"no box {'of those named ' if names else ''}has tier {tier}",
            hint=f"write it under the group {tier} of {inventory.file}",
            details=[f"tiers: {said}"],
        )
    return found


def _refuse_slips(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
        raise UsageError(f"{path} cannot be read: {why}", hint="name another inventory") from error
    found = slips(text)
    if found:
        raise UsageError(
            f"{path} has {len(found)} fault{'s' if len(found) > 1 else ''}",
            details=[f"{path.name}, line {slip.line}: {slip.problem}" for slip in found],
            hint="correct the file; nothing was run",
        )


def _listed(path: Path) -> dict[str, Any]:
    program = programs.ansible("ansible-inventory")
    environment = {
        **os.environ,
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CONFIG": str(programs.configuration()),
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
    }
    try:
        done = subprocess.run(
            [program, "--inventory", str(path), "--list"],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=LISTING_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as late:
        raise OpsctlError(
            f"{program.name} did not read {path} within {LISTING_TIMEOUT_S} s",
            hint="is it a program that waits for something?",
        ) from late
    said = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode != 0:
        raise UsageError(
            f"{path} is no inventory that Ansible can read",
            details=said[-12:],
            hint=f"{program.name} -i {path} --graph shows what Ansible makes of it",
        )
    for line in said:
        _logger.debug("%s: %s", program.name, line)
    found = json.loads(done.stdout)
    return found if isinstance(found, dict) else {}


def _groups(listed: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return of each host every group that holds it, itself or by one of its children."""
    members: dict[str, set[str]] = {}

    def under(group: str, seen: frozenset[str]) -> set[str]:
        content = listed.get(group)
        if not isinstance(content, Mapping) or group in seen:
            return set()
        own = set(map(str, content.get("hosts", ())))
        for child in content.get("children", ()):
            own |= under(child, seen | {group})
        return own

    for group in listed:
        if group != "_meta":
            for host in under(group, frozenset()):
                members.setdefault(host, set()).add(group)
    return members


def _host(
    name: str, groups: Iterable[str], variables: Mapping[str, Any], path: Path
) -> BoxHost | str:
    """Return a box, or what is wrong with it."""
    tiers = sorted(set(groups) & set(LatencyTier))
    if len(tiers) > 1:
        return f"{name} is of several tiers: {', '.join(tiers)}; a box has one"
    port = variables.get("ansible_port", SSH_PORT)
    try:
        port = int(port)
    except (TypeError, ValueError):
        return f"{name}: ansible_port must be a number, not {port!r}"
    return BoxHost(
        name=name,
        address=str(variables.get("ansible_host", name)),
        port=port,
        user=str(variables.get("ansible_user", "")),
        groups=tuple(sorted(set(groups) - {"all", "ungrouped"})),
        tier=LatencyTier(tiers[0]) if tiers else None,
        owner=str(variables.get(OWNER) or path.parent.name + "/" + path.stem),
        host_key=str(variables.get(HOST_KEY, "")).strip(),
        profile=str(variables.get(PROFILE_NAME, "")),
        key=str(variables.get("ansible_ssh_private_key_file", "")),
        by_ssh=variables.get("ansible_connection") != "local",
    )


def _few(names: Sequence[str]) -> str:
    more = len(names) - 10
    return ", ".join(names[:10]) + (f" and {more} more" if more > 0 else "")
