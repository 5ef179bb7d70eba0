"""One simulated run: two sites, a journal, a venue, and a plan of what goes wrong.

The processes run the production code. Faults end; then time goes on until everything is
settled, and a last order shows that the platform still works. What must hold is checked
as it happens, and at the end.
"""

from __future__ import annotations

import functools
import gc
import logging
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog

from apps.core import clock
from apps.core.journal import Halt
from apps.core.messages import Decision, Intent, OrderType, Side, TimeInForce
from apps.core.settings import ExecutionSettings
from apps.core.sites import HANDOVER, Handover
from apps.execution.following import Following
from apps.execution.leading import Leading
from apps.execution.risk import Market
from opsctl.drills.simulator.plan import SITES, SYMBOLS, Fault, Leg, Plan
from opsctl.drills.simulator.process import Simulated, settings_of
from opsctl.drills.simulator.site import Site
from opsctl.drills.simulator.store import Client, Store
from opsctl.drills.simulator.venue import VirtualEngine, VirtualVenue
from opsctl.drills.simulator.witness import Violation, Witness
from opsctl.drills.simulator.world import Loop, World

RESTART_S = 0.2
QUIET_S = 0.05
"""How long after its last fault and decision a run is told to settle."""
END_S = 30.0
"""What is not settled in this time never will be."""
LOOK_S = 0.1
PRICE = Decimal(10)
LIMIT = Decimal("10.1")
LINK_S = 0.001


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run; `violation` is empty where everything held."""

    seed: int
    violation: str = ""
    ended_s: float = 0.0
    steps: int = 0
    epochs: int = 0
    accepted: int = 0
    history: tuple[tuple[float, str, str], ...] = ()


class Run:
    """A plan carried out."""

    def __init__(self, plan: Plan) -> None:
        """Prepare the world; `whole` runs it."""
        self.plan = plan
        self.world = World(plan.seed)
        self.store = Store(self.world)
        self.legs: dict[str, Leg] = {}
        self.venue = VirtualVenue(self.world, plan, self._leg)
        self.witness = Witness(self.world, self.venue)
        self.store.on_commit = self.witness.committed
        self.venue.on_change = self.witness.check_exposure
        self.sites = {name: Site(name) for name in SITES}
        self._links: dict[tuple[str, str], Callable[[bool], None]] = {}

    def _leg(self, order: str) -> Leg:
        return self.legs[order]

    # The run

    def whole(self) -> Outcome:
        """Run to the end; return what came of it."""
        before = clock.run_on(lambda: self.world.now)
        try:
            self._begin()
            self.world.run(self.plan.over_s + QUIET_S, lambda: bool(self.witness.fault))
            self._heal()
            self._until_settled()
            self._last_order()
            self.witness.at_the_end(self.sites.values())
        except Violation as found:
            self.witness.fault = self.witness.fault or str(found)
        finally:
            clock.run_on(before)
            for site in self.sites.values():
                if site.loop is not None:
                    site.loop.kill()
        return Outcome(
            seed=self.plan.seed,
            violation=self.witness.fault,
            ended_s=round(self.world.now, 3),
            steps=self.world.steps,
            epochs=len(self.witness.epochs),
            accepted=sum(self.venue.accepted.values()),
            history=tuple(self.world.history),
        )

    def _begin(self) -> None:
        for at, name in enumerate(SITES):
            self._market(self.sites[name], 1)
            self.world.at(1.0 + 0.001 * at, functools.partial(self._start, self.sites[name]))
        for fault in self.plan.faults:
            self.world.at(fault.at_s, functools.partial(self._strike, fault))
        for number, planned in enumerate(self.plan.decisions):
            legs = planned.legs
            for at, name in enumerate(SITES):
                seq, site = number + 1, self.sites[name]
                qty = 1 if planned.diverges and at else 0
                decision = self._decision(seq, legs, more=qty)
                self.world.at(
                    planned.at_s + planned.late_s[at],
                    functools.partial(self._arrive, site, decision),
                )
        for number, at_s in enumerate(self.plan.days):
            for site in self.sites.values():
                self.world.at(at_s, functools.partial(self._market, site, number + 2))

    def _arrive(self, site: Site, decision: Decision) -> None:
        """Put a decision on a bus, in the order of the strategy."""
        site.bus.decisions.append(decision)
        site.bus.decisions.sort(key=lambda d: d.seq) if not site.alive else None
        site.bus.ring()

    def _decision(self, seq: int, legs: tuple[Leg, ...], *, more: int = 0) -> Decision:
        intents = []
        for at, leg in enumerate(legs):
            name = f"s-{seq}-{at}"
            self.legs[name] = leg
            intents.append(
                Intent(
                    id=name,
                    symbol=leg.symbol,
                    side=Side.BUY if leg.buy else Side.SELL,
                    qty=leg.qty + more,
                    limit=LIMIT if leg.buy else PRICE,
                    order_type=OrderType.LIMIT,
                    tif=TimeInForce.DAY if leg.day_order else TimeInForce.IOC,
                )
            )
        return Decision(
            strategy="s", seq=seq, day="2010-01-05", expires_seq=seq + 100, intents=tuple(intents)
        )

    def _market(self, site: Site, seq: int) -> None:
        prices = dict.fromkeys(SYMBOLS, PRICE)
        site.bus.move(Market(seq=seq, day="2010-01-05", prices=prices))

    # Processes

    def _start(self, site: Site) -> None:
        if site.alive:
            return
        site.starts += 1
        name = f"{site.name}/{site.starts}"
        loop = site.loop = Loop(self.world, name, self._failed)
        client = site.client = Client(self.store, loop)
        settings = _settings(site.name, self.plan.duplicate_check, self.plan.status_request)
        VirtualEngine.venue = self.venue
        app = site.app = Simulated(
            settings,
            self.world,
            loop,
            site.bus,
            site.starts,
            lambda changed: self._linked(site, changed),
        )
        self.world.note(name, "starts")

        async def work() -> None:
            await app.trade(client)

        loop.inside(lambda: self._watched(loop.start(work()), name))

    def _watched(self, task: object, name: str) -> None:
        def done(ended: object) -> None:
            fault = getattr(ended, "exception", lambda: None)()
            self._failed(f"{name} ended: {fault!r}")

        task.add_done_callback(done)  # type: ignore[attr-defined]

    def _failed(self, what: str) -> None:
        self.witness.fault = self.witness.fault or f"a process failed: {what}"

    def _linked(self, site: Site, changed: Callable[[str, bool], None]) -> None:
        """Open the links between this process and the other's, as far as both are there."""
        other = self.sites["b" if site.name == "a" else "a"]
        loop = site.loop

        def tell(up: bool) -> None:
            if loop is not None and not loop.dead:
                loop.inside(lambda: changed(other.name, up))

        self._links[(site.name, other.name)] = tell
        if other.alive and (other.name, site.name) in self._links:
            self._link(True)

    def _link(self, up: bool) -> None:
        for tell in self._links.values():
            self.world.after(LINK_S, functools.partial(tell, up))

    # Faults

    def _strike(self, fault: Fault) -> None:
        self.world.note(fault.site, f"{fault.kind} for {fault.for_s} s")
        site = self.sites[fault.site]
        if site.alive:
            self._strike_site(fault, site)
        match fault.kind:
            case "stall":
                self.store.stalled_until = self.world.now + min(fault.for_s, 0.4)
            case "link_down":
                self._link(False)
                self.world.after(fault.for_s, functools.partial(self._link, True))
            case "handover":
                self._ask_handover(fault.site)
            case "halt":
                self._switch(True)
                self.world.after(fault.for_s, functools.partial(self._switch, False))
            case _:
                pass

    def _strike_site(self, fault: Fault, site: Site) -> None:
        client, loop, app = site.client, site.loop, site.app
        assert client is not None  # noqa: S101 - it is alive
        assert loop is not None  # noqa: S101
        match fault.kind:
            case "crash":
                self._crash(site)
            case "freeze":
                loop.freeze(fault.for_s)
            case "freeze_in_send" if app is not None and app.engine is not None:
                app.engine.freeze_next_s = fault.for_s
            case "cut_journal":
                client.cut_until = self.world.now + fault.for_s
                client.break_watches()
            case "losing":
                client.losing = 0.3
                self.world.after(fault.for_s, functools.partial(setattr, client, "losing", 0.0))
            case "break_watch":
                client.break_watches()
            case "cut_fix":
                self.venue.cut(f"OPS-{site.name.upper()}-ORD")
                if fault.for_s > 0.1:
                    self.venue.cut(f"OPS-{site.name.upper()}-DROP")
            case _:
                pass

    def _crash(self, site: Site) -> None:
        assert site.loop is not None  # noqa: S101 - it is alive
        site.loop.kill()
        for watcher in tuple(self.store.watchers):
            if watcher.client is site.client:
                self.store.watchers.remove(watcher)
        for purpose in ("ORD", "DROP"):
            self.venue.cut(f"OPS-{site.name.upper()}-{purpose}")
        self._links.pop((site.name, "b" if site.name == "a" else "a"), None)
        self._link(False)
        self.world.after(RESTART_S, functools.partial(self._start, site))

    def _ask_handover(self, to: str) -> None:
        from apps.core import etcd

        if not self.witness.epochs:
            return
        asked = Handover(
            id="x", to=to, epoch=self.witness.epochs[-1], by="drill", at_ns=self.world.utc_ns()
        )
        key = f"/simulated/{HANDOVER}"
        self.store.transact([], [etcd.put(key, msgspec.json.encode(asked))], [])

    def _switch(self, on: bool) -> None:
        from apps.core import etcd

        key = "/simulated/kill"
        if on:
            halt = Halt(at_ns=self.world.utc_ns(), by="drill", reason="a drill")
            self.store.transact([], [etcd.put(key, msgspec.json.encode(halt))], [])
        else:
            self.store.transact([], [etcd.delete(key)], [])

    def _heal(self) -> None:
        """End everything that still goes wrong."""
        self.witness.check()
        self.store.stalled_until = 0.0
        for site in self.sites.values():
            if site.client is not None:
                site.client.cut_until = site.client.losing = 0.0
            if site.app is not None and site.app.engine is not None:
                site.app.engine.freeze_next_s = 0.0
        self._link(True)
        self._switch(False)

    def _until_settled(self) -> None:
        """Let time go on until nothing is open that can be settled."""
        while True:
            self.world.run(self.world.now + LOOK_S, lambda: bool(self.witness.fault))
            self.witness.check()
            for order in tuple(self.venue.orders.values()):
                if order.open:
                    self.venue.trade(order, order.qty)
            if self._settled():
                return
            if self.world.now > END_S:
                raise Violation(f"not settled: {self._unsettled()}")

    def _settled(self) -> bool:
        return not self._unsettled()

    def _unsettled(self) -> str:
        for site in self.sites.values():
            role = site.app.role if site.alive and site.app is not None else None
            if not isinstance(role, Following | Leading):
                return f"site {site.name} has no role"
            if role.state.index != self.witness.state.index:
                return f"site {site.name} is at {role.state.index} of {self.witness.state.index}"
        leading = [s.name for s in self.sites.values() if s.app and isinstance(s.app.role, Leading)]
        if len(leading) != 1:
            return f"{leading or 'nobody'} leads"
        held = [o for o in self.witness.state.open_orders() if not self._may_stay(o.id)]
        return "" if not held else f"{held[0].id} is {held[0].state}: {held[0].reason}"

    def _may_stay(self, order: str) -> bool:
        """Whether an order may be held in doubt for good: nothing proves what became of it."""
        known = self.witness.state.orders[order]
        fenced = self.plan.duplicate_check == "firm" and self.plan.status_request
        return known.held and not fenced

    def _last_order(self) -> None:
        """Show that a fresh decision still gets through."""
        seq = len(self.plan.decisions) + 1
        held = {o.symbol for o in self.witness.state.open_orders()}
        symbol = next((s for s in SYMBOLS if s not in held), None)
        if symbol is None:
            return
        shares = self.witness.state.portfolio.positions.get(symbol)
        buy = shares is None or shares.qty <= 0
        leg = Leg(symbol=symbol, buy=buy, qty=1, fills=1)
        decision = self._decision(seq, (leg,))
        for site in self.sites.values():
            site.bus.put(decision)
        until = self.world.now + 5.0
        while self.world.now < until:
            self.world.run(self.world.now + LOOK_S, lambda: bool(self.witness.fault))
            self.witness.check()
            known = self.witness.state.orders.get(f"s-{seq}-0")
            if known is not None and known.settled:
                break
            if self.witness.state.decisions.get(f"s-{seq}") and known is None:
                return  # risk refused it: that is an answer, too
        else:
            raise Violation("no progress: a fresh decision was not carried out within 5 s")
        while not self._settled():
            self.world.run(self.world.now + LOOK_S, lambda: bool(self.witness.fault))
            self.witness.check()
            if self.world.now > until + 5:
                raise Violation(f"not settled at the end: {self._unsettled()}")


def run(plan: Plan) -> Outcome:
    """Carry a plan out; the same plan gives the same outcome, to the last step."""
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        # Coroutines of processes that were killed complain as they are thrown away.
        return Run(plan).whole()
    finally:
        gc.collect()
        sys.unraisablehook = unraisable
        structlog.configure(**configured)


@functools.lru_cache(maxsize=64)
def _settings(site: str, duplicate_check: str, status_request: bool) -> ExecutionSettings:
    plan = Plan(seed=0, duplicate_check=duplicate_check, status_request=status_request)  # type: ignore[arg-type]
    return settings_of(site, _folder(), plan)


@functools.lru_cache(maxsize=1)
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="opsctl-simulate-"))
    (folder / "secret").write_text("simulated")
    return folder
