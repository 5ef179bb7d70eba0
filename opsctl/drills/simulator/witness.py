"""What must hold in a simulated run, seen from outside the processes.

The witness reads every write of the store as it is committed, keeps the state that the
journal leads to by itself, and holds the venue's record against it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from apps.core.journal import Leadership
from apps.core.messages import OrderState, OrderUpdate
from apps.core.records import Batch, DecisionTaken, JournalRecord, decode_batch
from apps.execution.apply import apply
from apps.execution.state import State, encode
from opsctl.drills.simulator.site import Site
from opsctl.drills.simulator.venue import VirtualVenue
from opsctl.drills.simulator.world import World

FIRST = "a"
"""The site that leads where nobody ever did."""


class Violation(Exception):
    """Something that must hold did not."""


class Witness:
    """Sees the store and the venue of one run."""

    def __init__(self, world: World, venue: VirtualVenue, *, manual: bool = False) -> None:
        """Begin with an empty journal."""
        self.world = world
        self.venue = venue
        self._fault = ""
        self.state = State()
        self.epochs: list[int] = []
        self.asked: set[str] = set()
        """Sites that somebody has asked to lead, since leadership moved last."""
        self._manual = manual
        self._led = FIRST
        self.records: list[JournalRecord] = []
        self.writers: dict[int, str] = {}
        self.halted: list[tuple[float, float]] = []
        """When the kill switch was on, from when the leader had said that it obeys."""
        self._kill_seen = 0
        self._kill_mod = 0

    @property
    def fault(self) -> str:
        """The first thing that did not hold; it ends the world."""
        return self._fault

    @fault.setter
    def fault(self, what: str) -> None:
        self._fault = what
        self.world.stopped = self.world.stopped or bool(what)

    def committed(self, revision: int, key: bytes, value: bytes | None) -> None:
        """Take note of a write of the store."""
        name = key.decode().removeprefix("/simulated/")
        if name.startswith("batch/") and value is not None:
            self._appended(decode_batch(value))
        elif name == "heartbeat" and value is not None and self._kill_mod:
            beat = msgspec.json.decode(value)
            if beat["kill_seen"] >= self._kill_mod and not self._kill_seen:
                self._kill_seen = revision
                if not self.halted or self.halted[-1][1] < float("inf"):
                    self.halted.append((self.world.now, float("inf")))
        elif name == "leader" and value is not None:
            self._named(msgspec.json.decode(value, type=Leadership).site)
        elif name == "kill":
            if value is not None:
                self._kill_mod, self._kill_seen = revision, 0
            else:
                self._kill_mod = 0
                if self.halted and self.halted[-1][1] == float("inf"):
                    self.halted[-1] = (self.halted[-1][0], self.world.now)

    def _named(self, site: str) -> None:
        """Where takeover is manual, no site leads after another that nobody has asked to."""
        if site == self._led:
            return
        if self._manual and site not in self.asked:
            self.fault = self.fault or f"{site} leads after {self._led}, and nobody asked it to"
        self._led = site
        self.asked.discard(site)

    def _appended(self, batch: Batch) -> None:
        if batch.first != self.state.index + 1:
            self.fault = f"batch {batch.first} follows record {self.state.index}"
        if self.writers.setdefault(batch.epoch, batch.writer) != batch.writer:
            self.fault = f"two writers append in epoch {batch.epoch}"
        if self.epochs and batch.epoch < self.epochs[-1]:
            self.fault = f"epoch {batch.epoch} appends after epoch {self.epochs[-1]}"
        if not self.epochs or batch.epoch > self.epochs[-1]:
            self.epochs.append(batch.epoch)
            self.world.note("journal", f"epoch {batch.epoch} of {batch.writer}")
        for record in batch.records:
            if isinstance(record, DecisionTaken):
                self._check_doubt(record)
            apply(self.state, record)
            self.records.append(record)
        self.check_exposure()

    def _check_doubt(self, taken: DecisionTaken) -> None:
        """No order is accepted on a symbol while another of it is in doubt."""
        doubted = {order.symbol for order in self.state.in_doubt()}
        symbols = {intent.id: intent.symbol for intent in taken.decision.intents}
        for verdict in taken.verdicts:
            if verdict.accepted and symbols[verdict.intent] in doubted:
                self.fault = self.fault or f"{verdict.intent} trades a symbol in doubt"

    def check_exposure(self) -> None:
        """Nothing at the venue may be beyond what is booked and reserved."""
        for order in self.venue.orders.values():
            known = self.state.orders.get(order.id)
            if known is None:
                self.fault = self.fault or f"{order.id} is at the venue and not in the journal"
                return
            may_be = order.qty if order.open else order.filled
            if known.cum_qty + known.leaves < may_be:
                self.fault = self.fault or (
                    f"{order.id}: {may_be} may be filled at the venue, and {known.cum_qty} are "
                    f"booked, {known.leaves} reserved ({known.state})"
                )

    def check(self) -> None:
        """Raise `Violation` where something did not hold so far."""
        if self.fault:
            raise Violation(self.fault)
        twice = [order for order, n in self.venue.accepted.items() if n > 1]
        if twice:
            raise Violation(f"accepted twice: {twice}")
        for at, session, order in self.venue.entered_at:
            for since, until in self.halted:
                if since < at < until:
                    raise Violation(f"{order} left on {session} although trading was halted")

    def at_the_end(self, sites: Iterable[Site]) -> None:
        """Raise `Violation` where journal, venue, sites and what was told are not one."""
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
        for site in sites:
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
            for site in sites
            for message in site.bus.told
            if isinstance(message, OrderUpdate) and message.state is not OrderState.REJECTED
        }
        if missing := told - journaled:
            raise Violation(f"acknowledged and not in the journal: {sorted(missing)}")
