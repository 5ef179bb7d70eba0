"""What a fault comes to on one environment: which processes, which links, by name; pure.

A scenario speaks of the leader and the follower. Who that is is settled once, before the
first blow, so that a fault hits whom it was written for whoever leads by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from opsctl.drills.kinds import (
    AnyFault,
    Clock,
    Cut,
    Delay,
    Drop,
    EngineLoss,
    Fill,
    Freeze,
    HandOver,
    Kill,
    Lose,
    Loss,
    Memory,
    Pulsed,
    Reject,
    Slow,
    Throttle,
    Trickle,
    Unplug,
)
from opsctl.drills.underway import KINDS, Underway
from opsctl.errors import OpsctlError
from opsctl.model.topology import Kind, Link
from opsctl.model.value import Value
from opsctl.targets.beneath import Ending, Nothing, Uplink

Keys = tuple[str, ...]
UPLINK = "-uplink"
"""What the name of a place's uplink ends with: it stands beside the links."""


class Disturbed(Value):
    """The state of a link, in the words of the network app."""

    cut: bool = False
    drop: Literal["none", "to", "from"] = "none"
    delay_ms: int = 0
    bytes_per_s: int = 0

    def merged(self, other: Disturbed) -> Disturbed:
        """Return the state under both; what the other says of a way counts."""
        rates = (self.bytes_per_s, other.bytes_per_s)
        return Disturbed(
            cut=self.cut or other.cut,
            drop=other.drop if other.drop != "none" else self.drop,
            delay_ms=max(self.delay_ms, other.delay_ms),
            bytes_per_s=min(rates) or max(rates),
        )


State = Disturbed | Uplink
"""Of a link, or of a place's uplink."""


class Effect(Value):
    """One fault on one environment."""

    said: str
    """What happens, for a reader."""
    killed: Keys = ()
    frozen: Keys = ()
    down: Keys = ()
    full: Keys = ()
    in_memory: bool = False
    """Whether it is their folders in memory that are full."""
    slowed: Keys = ()
    writes_per_s: int = 0
    starved: Keys = ()
    limit_mb: int = 0
    stepped: Keys = ()
    shift_s: float = 0.0
    engine: tuple[Ending, ...] = ()
    """What becomes of the containers of the engine that is lost, if it is."""
    links: dict[str, State] = {}
    to: str = ""
    """The site that the order path is handed to."""
    ordered: bool = False
    """Whether an operator orders that, where trading does not go on by itself."""
    times: int = 1
    every_s: float = 0.0
    after_s: float = 0.0
    hold_s: float = 0.0


class Places:
    """The services and the links of an environment, and who leads and follows."""

    def __init__(
        self,
        services: Iterable[tuple[str, str]],
        links: Sequence[Link],
        roles: Mapping[str, str],
        no_uplinks: str = Nothing().lacks_uplinks(),
    ) -> None:
        """Take (name, site) of every service, every link, and the site of each role.

        `no_uplinks` is why the packets of a place's uplink cannot be touched, where they cannot.
        """
        self.no_uplinks = no_uplinks
        self._services = tuple(services)
        self._links = links
        self._roles = dict(roles)
        ends = {end for link in links for end in (link.dialer, link.to)}
        self._known = {site for _, site in self._services} | ends

    def place(self, name: str) -> str:
        """Return the place of a role or a name; raises `OpsctlError` where there is none."""
        found = self._roles.get(name, name)
        if found not in self._known:
            raise OpsctlError(f"the environment has no place {name}")
        return found

    def keys(self, at: str, names: Sequence[str]) -> Keys:
        """Return the keys of the services at a place: all, or those of these names."""
        site = self.place(at)
        there = {name: f"{name}@{site}" for name, where in self._services if where == site}
        if missing := [name for name in names if name not in there]:
            raise OpsctlError(f"{site} has no {', '.join(missing)}")
        return tuple(there[name] for name in names) if names else tuple(there.values())

    def between(self, one: str, other: str, kinds: Sequence[Kind]) -> tuple[Link, ...]:
        """Return the links between two places, whoever dials; raises where there is none."""
        ends = {self.place(one), self.place(other)}
        found = tuple(
            link
            for link in self._links
            if {link.dialer, link.to} == ends and (not kinds or link.kind in kinds)
        )
        if not found:
            raise OpsctlError(
                f"there is no link between {one} and {other} that could be disturbed",
                hint="on the local target the network app carries the links between sites",
            )
        return found

    def of(self, place: str) -> tuple[Link, ...]:
        """Return every link of a place; raises where it has none."""
        at = self.place(place)
        found = tuple(link for link in self._links if at in (link.dialer, link.to))
        if not found:
            raise OpsctlError(f"{place} has no link to another place")
        return found


def effect(fault: AnyFault, places: Places) -> Effect:
    """Return what a fault comes to; raises `OpsctlError` where the environment lacks it."""
    found = _effect(fault, places)
    times: dict[str, object] = {"after_s": fault.after_s, "hold_s": fault.standing_s}
    if isinstance(fault, Pulsed) and fault.times > 1:
        times |= {"times": fault.times, "every_s": fault.every_s}
        said = (
            f"{found.said} for {fault.hold_s:g} s, {fault.times} times, every {fault.every_s:g} s"
        )
        times |= {"said": said}
    return found.model_copy(update=times)


def _effect(fault: AnyFault, places: Places) -> Effect:
    match fault:
        case Kill() | Freeze() | Fill() | Slow() | Memory() | Clock():
            return _of_services(fault, places)
        case Lose():
            keys = places.keys(fault.site, fault.services)
            site = places.place(fault.site)
            whole = f"all {len(keys)} processes of site {site}"
            said = _and(keys) if fault.services else whole
            return Effect(said=f"SIGKILL of {said}, kept down", down=keys)
        case Cut() | Delay() | Trickle():
            return _between(fault, places)
        case Drop():
            links = places.between(fault.sender, fault.receiver, fault.links)
            sender = places.place(fault.sender)
            said = f"what {sender} sends to {places.place(fault.receiver)} is swallowed"
            return Effect(
                said=f"{said} on {len(links)} links",
                links={
                    link.name: Disturbed(drop="to" if link.dialer == sender else "from")
                    for link in links
                },
            )
        case Unplug() | Reject() | Loss() | Throttle():
            return _of_uplink(fault, places)
        case EngineLoss():
            end = "live on" if fault.containers == "live" else "end with it"
            said = f"SIGKILL of the engine, whose containers {end}"
            return Effect(said=said, engine=(fault.containers,))
        case HandOver():
            to = places.place(fault.to)
            return Effect(said=f"handing over to {to}", to=to)
    raise TypeError(f"no effect of {type(fault)}")


def _of_services(fault: Kill | Freeze | Fill | Slow | Memory | Clock, places: Places) -> Effect:
    keys = places.keys(fault.site, fault.services)
    who = _and(keys)
    match fault:
        case Kill():
            return Effect(said=f"SIGKILL of {who}", killed=keys)
        case Freeze():
            return Effect(said=f"SIGSTOP of {who}", frozen=keys)
        case Fill(of="memory"):
            said = f"the folders in memory of {who} take no more"
            return Effect(said=said, full=keys, in_memory=True)
        case Fill():
            return Effect(said=f"the disk of {who} takes no more", full=keys)
        case Slow(writes_per_s=per_s):
            said = f"the disk of {who} takes {per_s} writes a second"
            return Effect(said=said, slowed=keys, writes_per_s=per_s)
        case Memory(limit_mb=limit_mb):
            said = f"{who} starts anew with {limit_mb} MB of memory"
            return Effect(said=said, starved=keys, limit_mb=limit_mb)
        case Clock():
            said = f"the clock of {who} is set {fault.shift_s:+g} s"
            return Effect(said=said, stepped=keys, shift_s=fault.shift_s)


def _between(fault: Cut | Delay | Trickle, places: Places) -> Effect:
    links = places.between(*fault.between, fault.links)
    match fault:
        case Cut():
            what, state = "are cut", Disturbed(cut=True)
        case Delay(delay_ms=delay_ms):
            what = f"hold back {delay_ms} ms each way"
            state = Disturbed(delay_ms=delay_ms)
        case Trickle(bytes_per_s=rate):
            what, state = f"carry {rate} bytes a second", Disturbed(bytes_per_s=rate)
    ends = " and ".join(map(places.place, fault.between))
    return Effect(
        said=f"{len(links)} links between {ends} {what}", links={link.name: state for link in links}
    )


def _of_uplink(fault: Unplug | Reject | Loss | Throttle, places: Places) -> Effect:
    """Return the state of the packets or, where none can be touched, what means it to links."""
    match fault:
        case Unplug():
            what, state, instead = "is unplugged", Uplink(down=True), Disturbed(cut=True)
        case Reject():
            what, state, instead = "is rejected", Uplink(reject=True), Disturbed(cut=True)
        case Throttle(kbit_per_s=rate):
            what, state = f"carries {rate} kbit/s", Uplink(kbit_per_s=rate)
            instead = Disturbed(bytes_per_s=max(rate * 1000 // 8, 1))
        case Loss(percent=percent, loses=way):
            what = f"loses {percent}% of its packets{_WAYS[way]}"
            state, instead = Uplink(loss_percent=percent, loses=way), Disturbed()
    site, links = places.place(fault.site), places.of(fault.site)
    if not places.no_uplinks:
        return Effect(said=f"the uplink of {site} {what}", links={f"{site}{UPLINK}": state})
    if instead == Disturbed():
        raise OpsctlError(f"the uplink of {site} cannot lose packets: {places.no_uplinks}")
    said = f"the uplink of {site} {what}: each of its {len(links)} links"
    return Effect(said=said, links={link.name: instead for link in links})


_WAYS = {"both": "", "to": " to it", "from": " from it"}


def ordered(effects: Sequence[Effect], to: str, after_s: float) -> Effect:
    """Return the order of an operator who acts so long after the last of other blows."""
    last_s = max(each.after_s + (each.times - 1) * each.every_s for each in effects)
    said = f"the operator looks, and orders {to} to lead if trading stands still"
    return Effect(said=said, to=to, ordered=True, after_s=last_s + after_s)


def everything(effects: Iterable[Effect], nothing: Underway) -> Underway:
    """Return all that effects leave standing, as it is written down."""
    kept: dict[str, dict[str, None]] = {kind: {} for kind in KINDS}
    for each in effects:
        for kind, names in kept.items():
            names |= dict.fromkeys(each.links if kind == "cut" else getattr(each, kind))
    return nothing.model_copy(update={kind: tuple(names) for kind, names in kept.items()})


def links_of(standing: Iterable[Effect]) -> dict[str, State]:
    """Return the state of every link and uplink under all faults that stand."""
    found: dict[str, State] = {}
    for each in standing:
        for name, new in each.links.items():
            match found.get(name), new:
                case Disturbed() as old, Disturbed():
                    found[name] = old.merged(new)
                case Uplink() as old, Uplink():
                    found[name] = old.merged(new)
                case _:
                    found[name] = new
    return found


def _and(keys: Keys) -> str:
    return ", ".join(keys)
