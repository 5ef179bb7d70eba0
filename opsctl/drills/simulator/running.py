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
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog

from apps.core import clock
from apps.core.messages import Decision, Intent, OrderType, Side, TimeInForce
from apps.core.settings import ExecutionSettings
from apps.execution.following import Following
from apps.execution.leading import Leading
from apps.execution.risk import Market
from opsctl.drills.simulator.faults import Faults
from opsctl.drills.simulator.links import Links
from opsctl.drills.simulator.plan import SITES, SYMBOLS, Leg, Plan
from opsctl.drills.simulator.process import Simulated, settings_of
from opsctl.drills.simulator.site import Site
from opsctl.drills.simulator.store import Client, Store
from opsctl.drills.simulator.venue import VirtualVenue
from opsctl.drills.simulator.witness import Violation, Witness
from opsctl.drills.simulator.world import Loop, World

QUIET_S = 0.05
"""How long after its last fault and decision a run is told to settle."""
END_S = 30.0
"""What is not settled in this time never will be."""
LOOK_S = 0.02
PRICE = Decimal(10)
LIMIT = Decimal("10.1")


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
        self.profile = Plan(
            seed=0,
            duplicate_check=plan.duplicate_check,
            status_request=plan.status_request,
            status_scope=plan.status_scope,
            cross_session_cancel=plan.cross_session_cancel,
            cancel_on_disconnect=plan.cancel_on_disconnect,
            manual=plan.manual,
        )
        self.world = World(plan.seed)
        self.store = Store(self.world)
        self.legs: dict[str, Leg] = {}
        self.venue = VirtualVenue(self.world, plan, self._leg)
        self.witness = Witness(self.world, self.venue, manual=plan.manual)
        self.store.on_commit = self.witness.committed
        self.venue.on_change = self.witness.check_exposure
        self.sites = {name: Site(name) for name in SITES}
        self.links = Links(self.world, self.sites)
        self.faults = Faults(
            self.world, self.store, self.venue, self.sites, self.links, self._start
        )
        self.faults.epochs = self.witness.epochs
        self.faults.asked = self.witness.asked

    def _leg(self, order: str) -> Leg:
        return self.legs[order]

    # The run

    def whole(self) -> Outcome:
        """Run to the end; return what came of it."""
        before = clock.run_on(self.world.monotonic)
        try:
            self._begin()
            self.world.run(self.plan.over_s + QUIET_S)
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
            self.world.at(fault.at_s, functools.partial(self.faults.strike, fault))
        for number, planned in enumerate(self.plan.decisions):
            legs = planned.legs
            for at, name in enumerate(SITES):
                seq, site = number + 1, self.sites[name]
                qty = 1 if planned.diverges and at else 0
                today = 1 + sum(day <= planned.at_s for day in self.plan.days)
                decision = self._decision(seq, legs, expires=today + planned.lives, more=qty)
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

    def _decision(
        self, seq: int, legs: tuple[Leg, ...], *, expires: int, more: int = 0
    ) -> Decision:
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
            strategy="s", seq=seq, day="2010-01-05", expires_seq=expires, intents=tuple(intents)
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
        rate = 1.0 + self.plan.drifts[SITES.index(site.name)]
        loop = site.loop = Loop(self.world, name, self._failed, rate=rate, skew_ns=site.skew_ns)
        client = site.client = Client(self.store, loop)
        settings = _settings(site.name, self.profile)
        app = site.app = Simulated(
            settings,
            self.world,
            self.venue,
            loop,
            site.bus,
            site.starts,
            lambda changed: self.links.open(site, changed),
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

    def _heal(self) -> None:
        """End everything that still goes wrong."""
        self.witness.check()
        self.store.stalled_until = 0.0
        for site in self.sites.values():
            if site.client is not None:
                site.client.cut_until = site.client.losing = 0.0
            if site.app is not None and site.app.engine is not None:
                site.app.engine.behave()
        self.links.all(True)
        self.faults.switch(False)

    def _until_settled(self) -> None:
        """Let time go on until nothing is open that can be settled."""
        while True:
            self.world.run(self.world.now + LOOK_S)
            self.witness.check()
            self._fill()
            if self._settled():
                return
            if self.world.now > END_S:
                raise Violation(f"not settled: {self._unsettled()}")

    def _fill(self) -> None:
        """Let what rests at the venue trade: nothing is open for ever."""
        for order in tuple(self.venue.orders.values()):
            if order.open:
                self.venue.trade(order, order.qty)

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
        known, plan = self.witness.state.orders[order], self.plan
        asked = plan.status_request and plan.status_scope == "firm"
        return known.held and not (plan.duplicate_check == "firm" and asked)

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
        decision = self._decision(seq, (leg,), expires=100)
        for site in self.sites.values():
            site.bus.put(decision)
        until = self.world.now + 5.0
        while self.world.now < until:
            self.world.run(self.world.now + LOOK_S)
            self.witness.check()
            known = self.witness.state.orders.get(f"s-{seq}-0")
            if known is not None and known.settled:
                break
            if self.witness.state.decisions.get(f"s-{seq}") and known is None:
                return  # risk refused it: that is an answer, too
        else:
            raise Violation("no progress: a fresh decision was not carried out within 5 s")
        while not self._settled():
            self.world.run(self.world.now + LOOK_S)
            self.witness.check()
            self._fill()
            if self.world.now > until + 5:
                raise Violation(f"not settled at the end: {self._unsettled()}")


def run(plan: Plan) -> Outcome:
    """Carry a plan out; the same plan gives the same outcome, to the last step."""
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None
    collecting = gc.isenabled()
    gc.disable()  # when garbage is thrown away must not depend on the runs before
    try:
        # Coroutines of processes that were killed complain as they are thrown away.
        return Run(plan).whole()
    finally:
        # What the run has made is young, as nothing was collected meanwhile; what its
        # coroutines still held as they were thrown away is free after that.
        gc.collect(0)
        gc.collect(1)
        if collecting:
            gc.enable()
        sys.unraisablehook = unraisable
        structlog.configure(**configured)


@functools.lru_cache(maxsize=256)
def _settings(site: str, profile: Plan) -> ExecutionSettings:
    return settings_of(site, _folder(), profile)


@functools.lru_cache(maxsize=1)
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="opsctl-simulate-"))
    (folder / "secret").write_text("simulated")
    return folder
