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
    Fill,
    Freeze,
    HandOver,
    Kill,
    Lose,
    Pulsed,
    Trickle,
)
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.model.topology import Kind, Link
from opsctl.model.value import Value

Keys = tuple[str, ...]


class Disturbed(Value):
    """The state of a link, in the words of the network app."""

    cut: bool = False
    drop: Literal["none", "to", "from"] = "none"
    delay_ms: int = 0
    bytes_per_s: int = 0


class Effect(Value):
    """One fault on one environment."""

    said: str
    """What happens, for a reader."""
    killed: Keys = ()
    frozen: Keys = ()
    down: Keys = ()
    full: Keys = ()
    stepped: Keys = ()
    shift_s: float = 0.0
    links: dict[str, Disturbed] = {}
    to: str = ""
    """The site that the order path is handed to."""
    times: int = 1
    every_s: float = 0.0
    after_s: float = 0.0
    hold_s: float = 0.0


class Places:
    """The services and the links of an environment, and who leads and follows."""

    def __init__(
        self, services: Iterable[tuple[str, str]], links: Sequence[Link], roles: Mapping[str, str]
    ) -> None:
        """Take (name, site) of every service, every link, and the site of each role."""
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
        case Kill():
            keys = places.keys(fault.site, fault.services)
            return Effect(said=f"SIGKILL of {_and(keys)}", killed=keys)
        case Freeze():
            keys = places.keys(fault.site, fault.services)
            return Effect(said=f"SIGSTOP of {_and(keys)}", frozen=keys)
        case Lose():
            keys = places.keys(fault.site, fault.services)
            site = places.place(fault.site)
            whole = f"all {len(keys)} processes of site {site}"
            said = _and(keys) if fault.services else whole
            return Effect(said=f"SIGKILL of {said}, kept down", down=keys)
        case Fill():
            keys = places.keys(fault.site, fault.services)
            return Effect(said=f"the disk of {_and(keys)} takes no more", full=keys)
        case Clock():
            keys = places.keys(fault.site, fault.services)
            said = f"the clock of {_and(keys)} is set {fault.shift_s:+g} s"
            return Effect(said=said, stepped=keys, shift_s=fault.shift_s)
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
        case HandOver():
            to = places.place(fault.to)
            return Effect(said=f"handing over to {to}", to=to)
    raise TypeError(f"no effect of {type(fault)}")


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


def everything(effects: Iterable[Effect], nothing: Underway) -> Underway:
    """Return all that effects leave standing, as it is written down."""
    kept: dict[str, dict[str, None]] = {k: {} for k in ("frozen", "down", "full", "stepped", "cut")}
    for each in effects:
        for kind, names in kept.items():
            names |= dict.fromkeys(each.links if kind == "cut" else getattr(each, kind))
    return nothing.model_copy(update={kind: tuple(names) for kind, names in kept.items()})


def links_of(standing: Iterable[Effect]) -> dict[str, Disturbed]:
    """Return the state of every link under all faults that stand."""
    found: dict[str, Disturbed] = {}
    for each in standing:
        for name, new in each.links.items():
            old = found.get(name, Disturbed())
            found[name] = Disturbed(
                cut=old.cut or new.cut,
                drop=new.drop if new.drop != "none" else old.drop,
                delay_ms=max(old.delay_ms, new.delay_ms),
                bytes_per_s=_slower(old.bytes_per_s, new.bytes_per_s),
            )
    return found


def _slower(one: int, other: int) -> int:
    """Return the lower of two rates; 0 is none."""
    return min(one, other) or max(one, other)


def _and(keys: Keys) -> str:
    return ", ".join(keys)
