"""Links and floating addresses: what an interface has so that it is an end of one, or holds one.

Only what is of that interface is touched, and never that of the interface by which SSH comes in.
What makes it hold after a boot is `devices`, as for every setting of a NIC.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from typing import Any

from ansible.module_utils.opsctl_box import devices
from ansible.module_utils.opsctl_box.system import Refused, System
from ansible.module_utils.opsctl_box.writer import Writer
from ansible.module_utils.opsctl_read.devices import management, session

IFUPDOWN = ("/etc/network/interfaces", "/etc/network/interfaces.d/*")
NETWORKD = "/run/systemd/netif/links/{}"


class Links(Writer):
    """`at`: an interface; its state as JSON: `up`, `mtu`, `addresses`, `routes`."""

    means = "link"

    def read(self, ats: list[str]) -> dict[str, dict[str, Any] | None]:
        """Ask the kernel."""
        return {at: devices.link_read(at, self.system.run) for at in ats}

    def before_writing(self, ats: list[str]) -> dict[str, Any]:
        """Keep the state of interfaces that are ours to write. Raises `Refused` for another."""
        for at in ats:
            refuse_nic(self.system, at)
        return self.read(ats)

    def holds(self, at: str, state: Any, want: str) -> bool:
        """Compare."""
        return bool(state == json.loads(want))

    def write_one(self, at: str, want: str) -> None:
        """Make it so, and believe only what is read back."""
        self._become(at, json.loads(want))

    def restore_one(self, at: str, former: dict[str, Any] | None) -> None:
        """Make it what it was."""
        if former is not None:
            self._become(at, former)

    def shown(self, state: Any) -> str:
        """Say it as it is wanted."""
        return "(none)" if state is None else json.dumps(state, sort_keys=True)

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """Keep it for when the interface comes anew."""
        return devices.files(topic, self.means, {at: {at: want} for at, want in wants.items()})

    def own_files(self, topic: str) -> list[str]:
        """Find what is kept."""
        return self.system.glob(devices.pattern(topic, self.means))

    def _become(self, at: str, want: dict[str, Any]) -> None:
        refuse_nic(self.system, at)
        refuse_routes(want["routes"])
        told = devices.link_write(at, want, self.system.run)
        if (has := devices.link_read(at, self.system.run)) != want:
            said = "; ".join(told) or "the kernel said nothing"
            raise Refused(f"wanted {self.shown(want)}, has {self.shown(has)}: {said}")


class Addresses(Writer):
    """`at`: `INTERFACE ADDRESS`; `held`, or `absent`."""

    means = "address"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Ask the kernel."""
        return {at: devices.address_read(*at.split(), self.system.run) for at in ats}

    def before_writing(self, ats: list[str]) -> dict[str, Any]:
        """Keep who had it. Raises `Refused` for an interface that is in no network of it."""
        for at in ats:
            nic, address = at.split()
            refuse_stranger(nic, address, devices.link_read(nic, self.system.run))
        return self.read(ats)

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """Compare."""
        return (state is not None) == (want == "held")

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Compare; not to hold it is a state as well."""
        return bool(state == former)

    def write_one(self, at: str, want: str) -> None:
        """Take the address, if nobody answers for it, and tell all; or give it up."""
        nic, address = at.split()
        if session(os.getpid())[1] == address:
            raise Refused(f"SSH comes in by {address}: reach this server by an address of its own")
        if want == "held":
            why = devices.address_write(nic, address, self.system.run)
            if why:
                raise Refused(why)
            return
        has = devices.link_read(nic, self.system.run) or {"addresses": []}
        for one in has["addresses"]:
            if one.partition("/")[0] == address:
                self.system.must("ip", "addr", "del", one, "dev", nic)

    def restore_one(self, at: str, former: str | None) -> None:
        """Hold it, or not, as before."""
        self.write_one(at, former or "absent")

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """Keep for when the interface comes anew that it holds the address; asked for first."""
        held = {at.split()[0]: {at: want} for at, want in wants.items() if want == "held"}
        return devices.files(topic, self.means, held)

    def own_files(self, topic: str) -> list[str]:
        """Find what is kept."""
        return self.system.glob(devices.pattern(topic, self.means))


def refuse_nic(system: System, nic: str) -> None:
    """Refuse an interface that is not ours to set: SSH's, or one that something else sets."""
    if devices.link_read(nic, system.run) is None:
        there = ", ".join(path.rsplit("/", 1)[1] for path in system.glob("/sys/class/net/*"))
        raise Refused(f"there is no {nic} on this server: it has {there}")
    if nic in management(session(os.getpid())[1]):
        raise Refused(
            f"SSH comes in by {nic}, or the default route goes out by it: a link is another "
            "interface, and that one is left as it is"
        )
    if sets := setter(system, nic):
        raise Refused(f"{nic} is set by {sets}: take it out there, so that one sets it alone")


def setter(system: System, nic: str) -> str:
    """Return what sets an interface besides us; empty where nothing does."""
    for pattern in IFUPDOWN:
        for path in system.glob(pattern):
            if re.search(rf"^\s*iface\s+{re.escape(nic)}\s", system.read(path) or "", re.M):
                return f"ifupdown ({path})"
    index = (system.read(f"/sys/class/net/{nic}/ifindex") or "").strip()
    known = system.read(NETWORKD.format(index)) or ""
    state = re.search(r"^ADMIN_STATE=(\w+)", known, re.M)
    if state is not None and state[1] not in ("unmanaged", "initialized", "pending"):
        file = re.search(r"^NETWORK_FILE=(.+)", known, re.M)
        return f"systemd-networkd ({file[1] if file else state[1]})"
    return ""


def refuse_routes(routes: list[str]) -> None:
    """Refuse routes that would take away the way back to whoever is logged in."""
    client = session(os.getpid())[0].partition("%")[0]
    for one in routes:
        net = one.split()[0]
        if (
            client
            and net != "default"
            and ipaddress.ip_address(client) in ipaddress.ip_network(net)
        ):
            raise Refused(
                f"the route to {net} would have the answers to {client}, from where SSH comes, "
                "go over the link: name narrower networks"
            )


def refuse_stranger(nic: str, address: str, has: dict[str, Any] | None) -> None:
    """Refuse an interface in whose networks an address is not. Raises `Refused`."""
    if has is None:
        raise Refused(f"there is no {nic} on this server")
    nets = [ipaddress.ip_interface(one).network for one in has["addresses"]]
    wide = [net for net in nets if net.prefixlen < 32]
    if not any(ipaddress.ip_address(address) in net for net in wide):
        raise Refused(
            f"{address} is in no network of {nic} ({', '.join(map(str, wide)) or 'it has none'}): "
            "nobody would find it there"
        )
