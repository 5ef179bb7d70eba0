"""The order path as a whole, against a model of the venue, cut and killed at any step.

The leader's decisions are those of production (`decide.step`, `state.apply`); the journal
is a list, the wire two queues. Whatever happens, once everything is up again each intent
was accepted at most once, every execution is booked exactly once, and all is settled.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.core.journal import Halt, KillView
from apps.core.messages import Decision, Intent, Side, TimeInForce
from apps.core.records import DecisionTaken, EpochTaken, JournalRecord
from apps.execution.actions import AskStatus, Cancel, Send
from apps.execution.apply import apply
from apps.execution.decide import Stepped, step
from apps.execution.events import (
    Context,
    Decided,
    Dispatched,
    Event,
    KillSeen,
    Profile,
    Reported,
    SessionChanged,
    Silent,
)
from apps.execution.reconcile import of_journal
from apps.execution.risk import Limits, Market
from apps.execution.state import State, decode, encode
from tests.unit.execution.model_venue import DAY, PRICE, SESSION, ModelVenue

LIMITS = Limits(
    max_order_notional_usd=Decimal(1_000_000),
    max_order_shares=1_000_000,
    max_position_notional_usd=Decimal(1_000_000),
    max_gross_notional_usd=Decimal(10_000_000),
    price_collar_bps=300,
    max_orders_per_s=1_000_000,
)
SYMBOLS = ("AAPL", "MSFT", "GE")


class OrderPath(RuleBasedStateMachine):
    """One leader at a time, one venue, one wire between them."""

    profile = Profile()

    def __init__(self) -> None:
        super().__init__()
        self.venue = ModelVenue()
        self.journal: list[JournalRecord] = []
        self.state = State()
        self.inbox: list[Event] = []
        self.connected = False
        self.next_report = 1
        self.seq = 0
        self.day_seq = 0
        self.day = DAY
        self.revision = 0
        self.kill = KillView(mod=0, seen=0, halt=None)
        self.start_process()

    # The process

    def start_process(self) -> None:
        """Take the next epoch, replay, and log on."""
        replayed = State()
        for record in self.journal:
            apply(replayed, record)
        self.state = replayed
        epoch = EpochTaken(
            epoch=replayed.epoch + 1, owner="x", site="a", capital_usd=Decimal(1_000), at_ns=0
        )
        self.journal.append(epoch)
        apply(self.state, epoch)
        self.inbox = [KillSeen()]
        self.connected = True
        self.next_report = self.state.inbound.get(SESSION, 0) + 1
        self.inbox.append(SessionChanged(SESSION, up=True))

    def context(self) -> Context:
        return Context(
            now_ns=len(self.journal) * 1_000_000,
            site="a",
            market=Market(seq=self.day_seq, day=self.day, prices=dict.fromkeys(SYMBOLS, PRICE)),
            kill=self.kill,
            limits=LIMITS,
            profile=self.profile,
        )

    def commit(self, events: list[Event]) -> Stepped:
        """Decide and journal; the caller acts, or dies before it does."""
        fork = self.state.fork()
        stepped = step(fork, events, self.context())
        self.journal += stepped.records
        self.state = fork
        return stepped

    def perform(self, stepped: Stepped, *, up_to: int | None = None) -> None:
        for action in stepped.actions[:up_to]:
            if isinstance(action, Send) and self.kill.halted:
                self.inbox.append(Dispatched(SESSION, 0, {}, {action.order: "halted"}))
                continue
            if not self.connected:
                continue
            match action:
                case Send():
                    self.venue.requests.append(("new", self.state.orders[action.order]))
                case Cancel():
                    self.venue.requests.append(("cancel", self.state.orders[action.order]))
                case AskStatus():
                    self.venue.requests.append(("status", self.state.orders[action.order]))

    def pump(self) -> None:
        events, self.inbox = self.inbox, []
        self.perform(self.commit(events))

    # What may happen

    @rule(
        legs=st.lists(
            st.tuples(
                st.sampled_from(SYMBOLS),
                st.sampled_from(Side),
                st.integers(1, 200),
                st.sampled_from((TimeInForce.IOC, TimeInForce.DAY)),
            ),
            max_size=3,
        ),
        life=st.integers(0, 2),
    )
    def decide(self, legs: list[tuple[str, Side, int, TimeInForce]], life: int) -> None:
        self.seq += 1
        intents = tuple(
            Intent(
                id=f"s-{self.seq}-{leg}", symbol=symbol, side=side, qty=qty, limit=PRICE, tif=tif
            )
            for leg, (symbol, side, qty, tif) in enumerate(legs)
        )
        decision = Decision(
            strategy="s",
            seq=self.seq,
            day=DAY,
            expires_seq=self.day_seq + life,
            intents=intents,
        )
        self.inbox.append(Decided(f"{self.seq}-0", decision, 0))

    @rule()
    def work(self) -> None:
        self.pump()

    @rule(
        legs=st.lists(
            st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(Side), st.integers(1, 200)),
            min_size=1,
            max_size=2,
        ),
        steps=st.lists(
            st.tuples(st.sampled_from("wvrd"), st.integers(0, 250)), min_size=4, max_size=24
        ),
    )
    def trading_goes_on(
        self, legs: list[tuple[str, Side, int]], steps: list[tuple[str, int]]
    ) -> None:
        """Work, the venue, reports and the drop copy, in any order."""
        self.decide([(*leg, TimeInForce.IOC) for leg in legs], 2)
        self.pump()
        for who, number in steps:
            match who:
                case "w":
                    self.pump()
                case "v":
                    self.venue_takes_a_request(number)
                case "r":
                    self.report_arrives()
                case "d":
                    self.drop_copy_arrives(number)

    @rule(fill=st.integers(-1, 250))
    def venue_takes_a_request(self, fill: int) -> None:
        if self.venue.requests:
            self.venue.handle(fill)

    @rule(number=st.integers(0, 5), qty=st.integers(1, 100))
    def venue_trades(self, number: int, qty: int) -> None:
        resting = [o.id for o in self.venue.orders.values() if o.status in "01"]
        if resting:
            self.venue.trade(resting[number % len(resting)], qty)

    @rule()
    def report_arrives(self) -> None:
        if self.connected and self.next_report <= len(self.venue.out):
            self.inbox.append(Reported(self.venue.out[self.next_report - 1]))
            self.next_report += 1

    @rule(number=st.integers(0, 1_000))
    def drop_copy_arrives(self, number: int) -> None:
        """The drop copy runs by itself: ahead of the order session, behind it, repeatedly."""
        told = [report for report in self.venue.out if report.exec_type in {"0", "F", "4"}]
        if told:
            at = number % len(told)
            copy = msgspec.structs.replace(told[at], session="OPS-A-DROP", seq=at + 1)
            self.inbox.append(Reported(copy))

    @rule(lost=st.integers(0, 5))
    def connection_is_cut(self, lost: int) -> None:
        """What was on the way to the venue may be lost, from any point on."""
        if not self.connected:
            return
        self.connected = False
        del self.venue.requests[max(len(self.venue.requests) - lost, 0) :]
        while self.venue.requests:
            self.venue.handle(50)
        self.inbox.append(SessionChanged(SESSION, up=False))

    @rule()
    def connection_is_back(self) -> None:
        if not self.connected:
            self.connected = True
            self.inbox.append(SessionChanged(SESSION, up=True))

    @rule(lost=st.integers(0, 5))
    def killed(self, lost: int) -> None:
        """The process dies with what it had not journaled."""
        self.connection_is_cut(lost)
        self.start_process()

    @rule(performed=st.integers(0, 3), lost=st.integers(0, 3))
    def killed_after_its_append(self, performed: int, lost: int) -> None:
        """The process dies between its append and the end of what follows from it."""
        events, self.inbox = self.inbox, []
        self.perform(self.commit(events), up_to=performed)
        self.connection_is_cut(lost)
        self.start_process()

    @rule()
    def answers_are_overdue(self) -> None:
        if self.connected and SESSION in self.state.up:
            owing = [o for o in self.state.open_orders() if o.unanswered or o.doubt or o.missing]
            self.inbox.append(Silent(tuple(order.id for order in owing)))

    @rule()
    def halt_or_resume(self) -> None:
        self.revision += 1
        halted = self.kill.halted
        self.kill = KillView(
            mod=0 if halted else self.revision,
            seen=self.revision,
            halt=None if halted else Halt(at_ns=0, by="x", reason="y"),
        )
        self.inbox.append(KillSeen())

    @rule()
    def a_day_passes(self) -> None:
        self.day_seq += 1

    # What must hold at any moment

    @invariant()
    def nothing_is_accepted_twice(self) -> None:
        assert not [order for order, n in Counter(self.venue.accepted).items() if n > 1]

    @invariant()
    def exposure_is_never_under_reserved(self) -> None:
        for order in self.state.orders.values():
            assert order.leaves >= 0
            assert order.cum_qty + order.leaves >= self.venue.open_shares(order.id)

    @invariant()
    def nothing_is_at_the_venue_that_is_not_in_the_journal(self) -> None:
        journaled = {
            verdict.intent
            for record in self.journal
            if isinstance(record, DecisionTaken)
            for verdict in record.verdicts
            if verdict.accepted
        }
        assert self.venue.orders.keys() <= journaled

    @invariant()
    def cash_and_positions_are_what_was_booked(self) -> None:
        booked = of_journal(self.journal)
        assert booked.positions == {
            s: p.qty for s, p in self.state.portfolio.positions.items() if p.qty
        }

    # How it must end

    def teardown(self) -> None:
        if self.kill.halted:
            self.halt_or_resume()
        self.connection_is_back()
        for _ in range(50):
            self.pump()
            while self.venue.requests:
                self.venue.handle(10)
            for order in list(self.venue.orders.values()):
                if order.status in "01":
                    self.venue.trade(order.id, order.qty)
            while self.next_report <= len(self.venue.out):
                self.report_arrives()
            if not self.inbox and not self.state.open:
                break
            self.answers_are_overdue()
            if any(order.held for order in self.state.open_orders()):
                # What nothing proves absent is held until its session was cut, or its day over.
                self.connection_is_cut(0)
                self.connection_is_back()
                if not self.profile.status_request:
                    self.day = "2010-01-06"
        self.settled_and_equal()

    def settled_and_equal(self) -> None:
        assert not self.state.open, [self.state.orders[o] for o in self.state.open]
        booked = Counter[str]()
        for order in self.state.orders.values():
            booked[order.id] += order.cum_qty
        executed = Counter[str]()
        for order_id, _, _, qty in self.venue.executions:
            executed[order_id] += qty
        assert +booked == +executed
        assert len(of_journal(self.journal).fills) == len(self.venue.executions)
        replayed = State()
        for record in self.journal:
            apply(replayed, record)
        assert replayed == self.state
        assert decode(encode(self.state)) == self.state


class OrderPathWithoutStatus(OrderPath):
    """The venue answers no status requests: what is in doubt is entered again under its id."""

    profile = Profile(status_request=False)


BOUNDS = settings(max_examples=150, stateful_step_count=30)
OrderPath.TestCase.settings = BOUNDS
OrderPathWithoutStatus.TestCase.settings = BOUNDS
TestOrderPath = OrderPath.TestCase
TestOrderPathWithoutStatus = OrderPathWithoutStatus.TestCase
