"""The faults of a plan, as they strike the simulated world."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import msgspec

from apps.core import etcd
from apps.core.journal import Halt, Leadership
from apps.core.sites import HANDOVER, Handover, Presence
from opsctl.drills.simulator.links import Links
from opsctl.drills.simulator.plan import Fault
from opsctl.drills.simulator.site import Site
from opsctl.drills.simulator.store import Store
from opsctl.drills.simulator.venue import VirtualVenue
from opsctl.drills.simulator.world import World

LEADER = "leader"
LEAST_DOWN_S, MOST_DOWN_S = 0.02, 0.3
"""How soon a process that crashed is started again."""
LONGEST_STALL_S = 0.4
OFTEN = 0.3
"""How often an answer of the journal is lost while some are."""


class Faults:
    """Strikes sites, store and venue."""

    def __init__(
        self,
        world: World,
        store: Store,
        venue: VirtualVenue,
        sites: Mapping[str, Site],
        links: Links,
        start: Callable[[Site], None],
    ) -> None:
        """Keep what is struck; `start` starts a site's process."""
        self.world, self.store, self.venue = world, store, venue
        self.sites, self.links = sites, links
        self.epochs: Sequence[int] = ()
        """The epochs so far."""
        self.asked: set[str] = set()
        """Takes the sites that somebody asks to lead."""
        self._start = start

    def strike(self, fault: Fault) -> None:
        """Let a fault happen now."""
        self.world.note(fault.site, f"{fault.kind} for {fault.for_s:.3f} s")
        if fault.kind.endswith("_in_send"):
            for each in self.sites.values():  # whichever leads then
                self._strike_send(fault, each)
        elif fault.site and self.sites[fault.site].alive:
            self._strike_site(fault, self.sites[fault.site])
        self._strike_all(fault)

    def _strike_all(self, fault: Fault) -> None:
        match fault.kind:
            case "crash_all":
                for each in self.sites.values():
                    self.crash(each, fault.for_s)
            case "stall":
                self.store.stalled_until = self.world.now + min(fault.for_s, LONGEST_STALL_S)
                self.store.led_by = None
            case "compact":
                self.store.compact(self.store.revision)
            case "link_down":
                self.links.all(False)
                self.world.after(fault.for_s, functools.partial(self.links.all, True))
            case "handover":
                self._ask_handover(fault.site)
            case "order":
                self._order(fault.site)
            case "halt":
                self.switch(True)
                self.world.after(fault.for_s, functools.partial(self.switch, False))
            case _:
                pass

    def _strike_site(self, fault: Fault, site: Site) -> None:
        client, loop = site.client, site.loop
        assert client is not None  # noqa: S101 - it is alive
        assert loop is not None  # noqa: S101
        match fault.kind:
            case "crash":
                self.crash(site, fault.for_s)
            case "freeze":
                loop.freeze(fault.for_s)
            case "cut_journal":
                client.cut_until = self.world.now + fault.for_s
                client.break_watches()
            case "losing":
                client.losing = OFTEN
                self.world.after(fault.for_s, functools.partial(setattr, client, "losing", 0.0))
            case "break_watch":
                client.break_watches()
            case "cut_fix":
                self.venue.cut(f"OPS-{site.name.upper()}-ORD")
                if fault.for_s > 0.1:
                    self.venue.cut(f"OPS-{site.name.upper()}-DROP")
            case "clock_step":
                # Forward where it is a long one, else back; by up to six seconds.
                site.skew_ns += int((fault.for_s if fault.for_s > 0.1 else -fault.for_s) * 1e10)
                loop.skew_ns = site.skew_ns
            case _:
                pass

    def _strike_send(self, fault: Fault, site: Site) -> None:
        """Let something happen the next time that the site's gateway enters an order."""
        engine = site.app.engine if site.app else None
        if engine is None:
            return
        match fault.kind:
            case "freeze_in_send":
                engine.freeze_next_s = fault.for_s
            case "crash_in_send":
                engine.crash_next = lambda: self.crash(site, fault.for_s)
            case "cut_in_send":
                engine.cut_next = True
            case _:
                pass

    def crash(self, site: Site, down_s: float) -> None:
        """Kill a site's process between two callbacks; it is started again."""
        if site.loop is None or site.loop.dead:
            return
        site.loop.kill()
        for watcher in tuple(self.store.watchers):
            if watcher.client is site.client:
                self.store.watchers.remove(watcher)
        for purpose in ("ORD", "DROP"):
            self.venue.cut(f"OPS-{site.name.upper()}-{purpose}")
        self.links.lose(site)
        down_s = min(max(down_s, LEAST_DOWN_S), MOST_DOWN_S)
        self.world.after(down_s, functools.partial(self._start, site))

    def _ask_handover(self, to: str) -> None:
        if not self.epochs:
            return
        asked = Handover(
            id="x", to=to, epoch=self.epochs[-1], by="drill", at_ns=self.world.utc_ns()
        )
        self.asked.add(to)
        key = f"/simulated/{HANDOVER}"
        self.store.transact([], [etcd.put(key, msgspec.json.encode(asked))], [])

    def _order(self, to: str) -> None:
        """Name a site the leader of the next epoch, as an emergency does."""
        led, there = (self._read(name) for name in (f"/simulated/{LEADER}", _presence(to)))
        if not there:
            return  # it was never seen
        successor = msgspec.json.decode(there, type=Presence)
        mine = Leadership(
            epoch=msgspec.json.decode(led, type=Leadership).epoch + 1 if led else 1,
            owner=successor.owner,
            site=to,
            at_ns=self.world.utc_ns(),
            release=successor.release,
            settings=successor.settings,
        )
        self.asked.add(to)
        put = etcd.put(f"/simulated/{LEADER}", msgspec.json.encode(mine))
        self.store.transact([], [put, etcd.delete(f"/simulated/{HANDOVER}")], [])

    def _read(self, key: str) -> bytes:
        return self.store.keys.get(key.encode(), (b"", 0))[0]

    def switch(self, on: bool) -> None:
        """Throw the kill switch, or take it back."""
        key = "/simulated/kill"
        if on:
            halt = Halt(at_ns=self.world.utc_ns(), by="drill", reason="a drill")
            self.store.transact([], [etcd.put(key, msgspec.json.encode(halt))], [])
        else:
            self.store.transact([], [etcd.delete(key)], [])


def _presence(site: str) -> str:
    return f"/simulated/site/{site}"
