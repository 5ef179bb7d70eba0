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
from apps.core.messages import (
    Decision,
    Intent,
    OrderState,
    OrderType,
    OrderUpdate,
    Side,
    TimeInForce,
)
from apps.core.records import Batch, DecisionTaken, JournalRecord, decode_batch
from apps.core.settings import ExecutionSettings
from apps.core.sites import HANDOVER, Handover
from apps.execution.apply import apply
from apps.execution.following import Following
from apps.execution.leading import Leading
from apps.execution.risk import Market
from apps.execution.state import State, encode
from opsctl.drills.simulator.plan import SITES, SYMBOLS, Fault, Leg, Plan
from opsctl.drills.simulator.process import Simulated, SiteBus, settings_of
from opsctl.drills.simulator.store import Client, Store
from opsctl.drills.simulator.venue import VirtualEngine, VirtualVenue
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


class Violation(Exception):
    """Something that must hold did not."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run; `violation` is empty where everything held."""

    seed: int
    violation: str = ""
    ended_s: float = 0.0
    steps: int = 0
    epochs: int = 0
    accepted: int = 0
    history: tuple[tuple[float, str, str], ...] = ()


class Site:
    """One site: its bus outlives its processes."""

    def __init__(self, name: str) -> None:
        """Begin with an empty bus and no process."""
        self.name = name
        self.bus = SiteBus()
        self.loop: Loop | None = None
        self.app: Simulated | None = None
        self.client: Client | None = None
        self.starts = 0

    @property
    def alive(self) -> bool:
        """Whether a process is there."""
        return self.loop is not None and not self.loop.dead


class Run:
    """A plan carried out."""

    def __init__(self, plan: Plan) -> None:
        """Prepare the world; `whole` runs it."""
        self.plan = plan
        self.world = World(plan.seed)
        self.store = Store(self.world)
        self.store.on_commit = self._committed
        self.legs: dict[str, Leg] = {}
        self.venue = VirtualVenue(self.world, plan, self._leg)
        self.venue.on_change = self._check_exposure
        self.sites = {name: Site(name) for name in SITES}
        self.records: list[JournalRecord] = []
        self.writers: dict[int, str] = {}
        self.epochs: list[int] = []
        self.state = State()
        self.halted: list[tuple[float, float]] = []
        """When the kill switch was on, from when the leader had said that it obeys."""
        self._kill_seen = 0
        self._kill_mod = 0
        self._links: dict[tuple[str, str], Callable[[bool], None]] = {}
        self._decided = 0
        self._fault = ""

    def _leg(self, order: str) -> Leg:
        return self.legs[order]

    # The run

    def whole(self) -> Outcome:
        """Run to the end; return what came of it."""
        before = clock.run_on(lambda: self.world.now)
        try:
            self._begin()
            self.world.run(self.plan.over_s + QUIET_S, lambda: bool(self._fault))
            self._heal()
            self._until_settled()
            self._last_order()
            self._at_the_end()
        except Violation as found:
            self._fault = self._fault or str(found)
        finally:
            clock.run_on(before)
            for site in self.sites.values():
                if site.loop is not None:
                    site.loop.kill()
        return Outcome(
            seed=self.plan.seed,
            violation=self._fault,
            ended_s=round(self.world.now, 3),
            steps=self.world.steps,
            epochs=len(self.epochs),
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
        self._fault = self._fault or f"a process failed: {what}"

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

        if not self.epochs:
            return
        asked = Handover(
            id="x", to=to, epoch=self.epochs[-1], by="drill", at_ns=self.world.utc_ns()
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
        self._check_as_it_happens()
        self.store.stalled_until = 0.0
        for site in self.sites.values():
            if site.client is not None:
                site.client.cut_until = site.client.losing = 0.0
            if site.app is not None and site.app.engine is not None:
                site.app.engine.freeze_next_s = 0.0
        self._link(True)
        self._switch(False)

    # What must hold

    def _committed(self, revision: int, key: bytes, value: bytes | None) -> None:
        name = key.decode().removeprefix("/simulated/")
        if name.startswith("batch/") and value is not None:
            self._appended(decode_batch(value))
        elif name == "heartbeat" and value is not None and self._kill_mod:
            beat = msgspec.json.decode(value)
            if beat["kill_seen"] >= self._kill_mod and not self._kill_seen:
                self._kill_seen = revision
                if not self.halted or self.halted[-1][1] < float("inf"):
                    self.halted.append((self.world.now, float("inf")))
        elif name == "kill":
            if value is not None:
                self._kill_mod, self._kill_seen = revision, 0
            else:
                self._kill_mod = 0
                if self.halted and self.halted[-1][1] == float("inf"):
                    self.halted[-1] = (self.halted[-1][0], self.world.now)

    def _appended(self, batch: Batch) -> None:
        if batch.first != self.state.index + 1:
            self._fault = f"batch {batch.first} follows record {self.state.index}"
        if self.writers.setdefault(batch.epoch, batch.writer) != batch.writer:
            self._fault = f"two writers append in epoch {batch.epoch}"
        if self.epochs and batch.epoch < self.epochs[-1]:
            self._fault = f"epoch {batch.epoch} appends after epoch {self.epochs[-1]}"
        if not self.epochs or batch.epoch > self.epochs[-1]:
            self.epochs.append(batch.epoch)
            self.world.note("journal", f"epoch {batch.epoch} of {batch.writer}")
        for record in batch.records:
            if isinstance(record, DecisionTaken):
                self._check_doubt(record)
            apply(self.state, record)
            self.records.append(record)
        self._check_exposure()

    def _check_doubt(self, taken: DecisionTaken) -> None:
        """No order is accepted on a symbol while another of it is in doubt."""
        doubted = {order.symbol for order in self.state.in_doubt()}
        symbols = {intent.id: intent.symbol for intent in taken.decision.intents}
        for verdict in taken.verdicts:
            if verdict.accepted and symbols[verdict.intent] in doubted:
                self._fault = self._fault or f"{verdict.intent} trades a symbol in doubt"

    def _check_exposure(self) -> None:
        """Nothing at the venue may be beyond what is booked and reserved."""
        for order in self.venue.orders.values():
            known = self.state.orders.get(order.id)
            if known is None:
                self._fault = self._fault or f"{order.id} is at the venue and not in the journal"
                return
            may_be = order.qty if order.open else order.filled
            if known.cum_qty + known.leaves < may_be:
                self._fault = self._fault or (
                    f"{order.id}: {may_be} may be filled at the venue, and {known.cum_qty} are "
                    f"booked, {known.leaves} reserved ({known.state})"
                )

    def _check_as_it_happens(self) -> None:
        if self._fault:
            raise Violation(self._fault)
        twice = [order for order, n in self.venue.accepted.items() if n > 1]
        if twice and self.plan.duplicate_check == "firm":
            raise Violation(f"accepted twice: {twice}")
        if twice:
            raise Violation(f"accepted twice without a fence: {twice}")
        for at, session, order in self.venue.entered_at:
            for since, until in self.halted:
                if since < at < until:
                    raise Violation(f"{order} left on {session} although trading was halted")

    def _until_settled(self) -> None:
        """Let time go on until nothing is open that can be settled."""
        while True:
            self.world.run(self.world.now + LOOK_S, lambda: bool(self._fault))
            self._check_as_it_happens()
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
            if role.state.index != self.state.index:
                return f"site {site.name} is at {role.state.index} of {self.state.index}"
        leading = [s.name for s in self.sites.values() if s.app and isinstance(s.app.role, Leading)]
        if len(leading) != 1:
            return f"{leading or 'nobody'} leads"
        held = [o for o in self.state.open_orders() if not self._may_stay(o.id)]
        return "" if not held else f"{held[0].id} is {held[0].state}: {held[0].reason}"

    def _may_stay(self, order: str) -> bool:
        """Whether an order may be held in doubt for good: nothing proves what became of it."""
        known = self.state.orders[order]
        fenced = self.plan.duplicate_check == "firm" and self.plan.status_request
        return known.held and not fenced

    def _last_order(self) -> None:
        """Show that a fresh decision still gets through."""
        seq = len(self.plan.decisions) + 1
        held = {o.symbol for o in self.state.open_orders()}
        symbol = next((s for s in SYMBOLS if s not in held), None)
        if symbol is None:
            return
        shares = self.state.portfolio.positions.get(symbol)
        buy = shares is None or shares.qty <= 0
        leg = Leg(symbol=symbol, buy=buy, qty=1, fills=1)
        decision = self._decision(seq, (leg,))
        for site in self.sites.values():
            site.bus.put(decision)
        until = self.world.now + 5.0
        while self.world.now < until:
            self.world.run(self.world.now + LOOK_S, lambda: bool(self._fault))
            self._check_as_it_happens()
            known = self.state.orders.get(f"s-{seq}-0")
            if known is not None and known.settled:
                break
            if self.state.decisions.get(f"s-{seq}") and known is None:
                return  # risk refused it: that is an answer, too
        else:
            raise Violation("no progress: a fresh decision was not carried out within 5 s")
        while not self._settled():
            self.world.run(self.world.now + LOOK_S, lambda: bool(self._fault))
            self._check_as_it_happens()
            if self.world.now > until + 5:
                raise Violation(f"not settled at the end: {self._unsettled()}")

    def _at_the_end(self) -> None:
        booked: dict[str, int] = {}
        for order in self.state.orders.values():
            if order.cum_qty:
                booked[order.id] = order.cum_qty
        executed: dict[str, int] = {}
        for _, order_id, _, _, shares in self.venue.executions:
            executed[order_id] = executed.get(order_id, 0) + shares
        if booked != executed:
            raise Violation(f"booked {booked}, executed {executed}")
        held: dict[str, int] = {}
        for _, _, symbol, side, shares in self.venue.executions:
            held[symbol] = held.get(symbol, 0) + (shares if side == "1" else -shares)
        positions = {s: p.qty for s, p in self.state.portfolio.positions.items() if p.qty}
        if positions != {s: n for s, n in held.items() if n}:
            raise Violation(f"positions {positions}, by the venue {held}")
        wanted = encode(self.state)
        for site in self.sites.values():
            assert site.app is not None  # noqa: S101 - it is settled
            if encode(site.app.role.state) != wanted:
                raise Violation(f"site {site.name} has another state than the journal")
        journaled = {
            verdict.intent
            for record in self.records
            if isinstance(record, DecisionTaken)
            for verdict in record.verdicts
        }
        told = {
            message.id
            for site in self.sites.values()
            for message in site.bus.told
            if isinstance(message, OrderUpdate) and message.state is not OrderState.REJECTED
        }
        if missing := told - journaled:
            raise Violation(f"acknowledged and not in the journal: {sorted(missing)}")


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
