"""Links and floating addresses as they are declared, and what of them is not so; pure.

A server is in them as it is reached: what it is called, and how SSH comes to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from opsctl.model.links import FloatingAddress, Link
from opsctl.model.onprem import OnpremSettings
from opsctl.model.profile.resolve import settings as settings_of
from opsctl.model.tiers import LATENCY, LatencyTier
from opsctl.model.value import Value
from opsctl.provision.wiring import End, Held, Seen
from stacks.onprem import drift
from stacks.onprem.design import ServerArgs
from stacks.onprem.drift import Drift

REACH = ("name", "address", "port", "user", "key", "host_key")
"""Properties of a server that say how it is reached."""
ANY = {"name": "weekly", "tier": "weekly"}
"""What an interface has does not depend on the profile of its server."""
PINGS = 20
LOST = 2
"""Of that many pings so many may be lost without being told."""

Properties = Mapping[str, Any]


class LinkArgs(Value):
    """A link, as it is declared."""

    name: str
    link: Link
    within_us: int
    """Longest round trip; 0: any."""
    servers: dict[str, ServerArgs]

    def properties(self) -> dict[str, Any]:
        """Return it as properties of a resource, as the state has them."""
        return {
            "name": self.name,
            "use": self.link.use,
            "mtu": self.link.mtu,
            "within_us": self.within_us,
            "ends": [
                {
                    "server": reach(self.servers[name]),
                    "interface": end.interface,
                    "address": end.address,
                    "routes": list(end.routes),
                    "peer": self.link.peer(name),
                    "answers": self.link.port is None or self.link.port.answers,
                }
                for name, end in self.link.ends.items()
            ],
            "port": self.link.port.name if self.link.port else "",
        }


class AddressArgs(Value):
    """A floating address, as it is declared."""

    name: str
    said: FloatingAddress
    servers: dict[str, ServerArgs]

    def properties(self) -> dict[str, Any]:
        """Return it as properties of a resource, as the state has them."""
        return {
            "name": self.name,
            "address": self.said.address,
            "holder": self.said.holder,
            "servers": [
                {"server": reach(self.servers[name]), "interface": interface}
                for name, interface in self.said.interfaces.items()
            ],
        }


class Wiring(Value):
    """The links and floating addresses of an environment."""

    links: tuple[LinkArgs, ...]
    addresses: tuple[AddressArgs, ...]


def wiring(said: OnpremSettings, tier: LatencyTier, servers: Mapping[str, ServerArgs]) -> Wiring:
    """Return the links and addresses of an environment of a latency tier."""
    return Wiring(
        links=tuple(
            LinkArgs(
                name=name,
                link=link,
                within_us=within_us(link, tier),
                servers={end: servers[end] for end in link.ends},
            )
            for name, link in said.links.items()
        ),
        addresses=tuple(
            AddressArgs(
                name=name, said=one, servers={each: servers[each] for each in one.interfaces}
            )
            for name, one in said.addresses.items()
        ),
    )


def contested(made: Wiring) -> Iterator[str]:
    """Yield the links whose MTU the profile of a server would set otherwise, again and again."""
    for one in made.links:
        for name, end in one.link.ends.items():
            profile = one.servers[name].profile
            nics = profile.own.trading_nics if profile.own else ()
            if nics and end.interface not in nics:
                continue
            mtu, place = str(one.link.mtu), f"/sys/class/net/{end.interface}/mtu"
            for setting in settings_of(profile.tier, profile.own):
                want = setting.want[profile.tier]
                if setting.at.replace("{nic}", end.interface) == place and want != mtu:
                    yield (
                        f"link {one.name} has an MTU of {mtu}, and profile {profile.name} "
                        f"of {name} wants {want} of {end.interface} ({setting.id})"
                    )


def within_us(link: Link, tier: LatencyTier) -> int:
    """Return the longest round trip of a link: a tick and its order cannot be faster; 0: any.

    Of hft the journal is off the order path, so its quorum may be as far as it is.
    """
    if link.within_us is not None:
        return link.within_us
    if tier is LatencyTier.HFT and link.use == "inter-site":
        return 0
    return LATENCY[tier].budget_ns // 1000


def reach(server: ServerArgs) -> dict[str, Any]:
    """Return how a server is reached."""
    said = server.properties()
    return {key: said[key] for key in REACH}


def reached(props: Properties) -> dict[str, dict[str, Any]]:
    """Return the servers of a link or address, as they are reached, by name."""
    parts = props.get("ends") or props["servers"]
    return {str(one["server"]["name"]): {**one["server"], "profile": ANY} for one in parts}


def state(end: Properties, mtu: int) -> dict[str, Any]:
    """Return what the interface of an end is to have."""
    return {
        "up": True,
        "mtu": mtu,
        "addresses": [end["address"]],
        "routes": sorted(f"{route} via {end['peer']}" for route in end["routes"]),
    }


def ends(props: Properties) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return what each server is to hold of a link, as the playbook takes it."""
    return {
        str(end["server"]["name"]): {
            "link": [
                {
                    "id": f"link.{props['name']}",
                    "at": end["interface"],
                    "want": json.dumps(state(end, int(props["mtu"])), sort_keys=True),
                }
            ]
        }
        for end in props["ends"]
    }


def holds(props: Properties) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return what each server is to hold of a floating address."""
    return {
        str(one["server"]["name"]): {
            "address": [
                {
                    "id": f"address.{props['name']}",
                    "at": f"{one['interface']} {props['address']}",
                    "want": "held" if one["server"]["name"] == props["holder"] else "absent",
                }
            ]
        }
        for one in props["servers"]
    }


def asked_of_links(many: Mapping[str, Properties]) -> dict[str, dict[str, Any]]:
    """Return by server what is to be read of links."""
    asked: dict[str, dict[str, Any]] = {}
    for name, props in many.items():
        for end in props["ends"]:
            of = asked.setdefault(str(end["server"]["name"]), {"opsctl_links": []})
            of["opsctl_links"].append(
                {
                    "name": name,
                    "interface": end["interface"],
                    "source": end["address"].partition("/")[0],
                    "peer": end["peer"] if end["answers"] else "",
                    "mtu": int(props["mtu"]),
                }
            )
    return asked


def asked_of_addresses(many: Mapping[str, Properties]) -> dict[str, dict[str, Any]]:
    """Return by server what is to be read of floating addresses."""
    asked: dict[str, dict[str, Any]] = {}
    for name, props in many.items():
        for one in props["servers"]:
            of = asked.setdefault(str(one["server"]["name"]), {"opsctl_addresses": []})
            of["opsctl_addresses"].append(
                {"name": name, "interface": one["interface"], "address": props["address"]}
            )
    return asked


def of_link(props: Properties, seen: Seen) -> Drift:
    """Return what of a link is not as declared: what is set first, what is measured after it."""
    found = _of_servers(props, seen)
    for end in props["ends"]:
        server = str(end["server"]["name"])
        if server in seen.wires:
            there = seen.wires[server].links.get(str(props["name"]))
            found |= {f"{server}.{key}": said for key, said in _of_end(end, props, there).items()}
    return found or _of_pings(props, seen)


def _of_end(end: Properties, props: Properties, there: End | None) -> Drift:
    if there is None or there.state is None:
        return {"interface": f"none (wanted {end['interface']})"}
    want, has = state(end, int(props["mtu"])), there.state
    found = {}
    if not has.up:
        found["up"] = "down (wanted up)"
    if has.mtu != want["mtu"]:
        found["mtu"] = f"{has.mtu} (wanted {want['mtu']})"
    for key in ("addresses", "routes"):
        got = list(getattr(has, key))
        if got != want[key]:
            found[key] = f"{', '.join(got) or 'none'} (wanted {', '.join(want[key]) or 'none'})"
    if has.up and not there.carrier:
        found["carrier"] = "none: is the cable plugged in, and the other end up?"
    return found


def _of_pings(props: Properties, seen: Seen) -> Drift:
    found = {}
    for end in props["ends"]:
        server = str(end["server"]["name"])
        pings = seen.wires[server].links[str(props["name"])].pings
        if pings is None:
            continue
        if pings.lost >= PINGS:
            found[f"{server}.answers"] = f"{end['peer']} answers no pings"
            continue
        if pings.lost > LOST:
            found[f"{server}.lost"] = f"{pings.lost} of {PINGS} pings"
        if pings.passes:
            found[f"{server}.passes"] = pings.passes
        limit = int(props["within_us"])
        if limit and pings.median_us > limit:
            found[f"{server}.round_trip_us"] = f"{pings.median_us} (wanted at most {limit})"
    return found


def round_trip(props: Properties, seen: Seen) -> dict[str, float]:
    """Return the median and the least round trip of a link, in us: of its slower direction.

    Empty where none could be measured.
    """
    said = [
        end.pings
        for wires in seen.wires.values()
        if (end := wires.links.get(str(props["name"]))) and end.pings and end.pings.median_us
    ]
    if not said:
        return {}
    slower = max(said, key=lambda one: one.median_us)
    return {"median_us": slower.median_us, "least_us": slower.least_us}


def of_address(props: Properties, seen: Seen) -> Drift:
    """Return what of a floating address is not as declared: who holds it, or answers for it."""
    found = _of_servers(props, seen)
    name, wanted = str(props["name"]), str(props["holder"])
    read = {
        server: wires.addresses[name]
        for server, wires in seen.wires.items()
        if name in wires.addresses
    }
    holders = sorted(server for server, one in read.items() if one.held)
    if holders != [wanted] and (wanted in read or holders):
        alone = " alone" if wanted in holders else ""
        found["holder"] = f"{' and '.join(holders) or 'nobody'} (wanted {wanted}{alone})"
    if strangers := _strangers(read):
        found["answers"] = f"{', '.join(strangers)} answers for it too"
    return found


def _strangers(read: Mapping[str, Held]) -> list[str]:
    """Return the MACs that answer for an address and are of no server that was read."""
    ours = {mac for one in read.values() for mac in one.macs}
    return sorted({mac for one in read.values() for mac in one.others} - ours)


def _of_servers(props: Properties, seen: Seen) -> Drift:
    found: Drift = {}
    for server in reached(props):
        if server in seen.failures:
            said = drift.of_failure(seen.failures[server])
        else:
            said = drift.of_owner(seen.wires[server].owner, str(props["owner"]))
        found |= {f"{server}.{key}": why for key, why in said.items()}
    return found
