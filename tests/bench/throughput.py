"""Orders a second: journaled by three members and written to a venue, beside bare QuickFIX.

One process does what the leader does, with the code that the leader runs; the venue is a
sink. Three ways are timed in turn, so that the ratios are of one machine at one time:

- bare: NewOrderSingles composed and written by QuickFIX in a loop;
- append to write: decisions that were judged before are appended, 64 in a transaction as
  the sequencer groups them, and their orders written once that is durable;
- whole: the sequencer judges, appends, writes, and takes in each order's execution.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import uvloop

from apps.core.clock import utc_ns
from apps.core.fix import Engine
from apps.core.journal import Journal
from apps.core.leader import Leader
from apps.core.messages import Decision, Intent, Side, TimeInForce
from apps.core.records import DecisionTaken, Outcome, ReportKind, ReportSeen, Verdict
from apps.core.settings import ExecutionSettings
from apps.execution import wire
from apps.execution.actions import Send
from apps.execution.apply import orders_of
from apps.execution.events import Context, Decided, Reported, TookOver
from apps.execution.gateway import Gateway
from apps.execution.order import Order
from apps.execution.performer import Performer
from apps.execution.place import limits_of, profile_of
from apps.execution.risk import Market
from apps.execution.said import digest
from apps.execution.sequencer import MAX_EVENTS, Committed, Sequencer
from apps.execution.state import State
from apps.execution.teller import Teller
from tests.bench.row import Row
from tests.bench.sink import VENUE, sink
from tests.support import servers

ORDERS = 4_000
"""Of each way in a round: enough for about a second."""
DAY = "2010-01-05"
SYMBOL = "AAPL"
PRICE = Decimal("10.0000")
QTY = 10
LEFT_S = 10.0
"""How long the last order may take to arrive."""
WHOLE_S = 60.0
BARE = "BARE"


def measure(rounds: int) -> list[Row]:
    """Return the figures, medians over some rounds."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        bare, appended, whole = runner.run(_measure(rounds))
    middle = statistics.median
    return [
        Row("orders a second: bare QuickFIX loop", "", f"{middle(bare):,.0f}"),
        _against("journaled, from append to socket write", ">= 50% of bare", appended, bare),
        _against("whole: judged, journaled, written, its execution booked", "", whole, bare),
    ]


def _against(name: str, goal: str, rates: list[float], bare: list[float]) -> Row:
    share = statistics.median(one / other for one, other in zip(rates, bare, strict=True))
    rate = statistics.median(rates)
    return Row(f"orders a second: {name}", goal, f"{rate:,.0f} ({share:.0%} of bare)")


async def _measure(rounds: int) -> tuple[list[float], list[float], list[float]]:
    rates: tuple[list[float], list[float], list[float]] = ([], [], [])
    port = servers.free_port()
    with servers.folder() as home, servers.etcd(3) as etcd, sink(port) as arrived:
        async with _rig(home, port, etcd) as rig:
            ways = (rig.bare, rig.append_to_write, rig.whole)
            for _ in range(rounds):
                for way, found in zip(ways, rates, strict=True):
                    found.append(await _rate(way, arrived))
    return rates


async def _rate(way: Callable[[], Awaitable[float]], arrived: Any) -> float:
    """Return orders a second of one way, once all of them have arrived."""
    before = arrived.value
    seconds = await way()
    until = time.monotonic() + LEFT_S
    while arrived.value < before + ORDERS:
        if time.monotonic() > until:
            raise RuntimeError(f"{arrived.value - before} of {ORDERS} orders arrived")
        await asyncio.sleep(0.01)
    return ORDERS / seconds


class _Silent:
    """The bus is no part of the path."""

    def tell(self, *_: object) -> None:
        """Tell nobody."""


class _Rig:
    """A leader of its own journal, its gateway logged on at the sink."""

    def __init__(
        self, settings: ExecutionSettings, leader: Leader, gateway: Gateway, bare: Engine
    ) -> None:
        self._settings, self._leader, self._gateway, self._bare = settings, leader, gateway, bare
        self._made = 0
        self._market = Market(seq=1, day=DAY, prices={SYMBOL: PRICE})

    async def bare(self) -> float:
        """Write orders by QuickFIX alone; return the seconds."""
        orders = [order for _, order in self._judged()]
        started = time.perf_counter()
        for order in orders:
            if not self._bare.send(BARE, "D", wire.new_order(order, utc_ns())):
                raise RuntimeError("the sink logged out")
        return time.perf_counter() - started

    async def append_to_write(self) -> float:
        """Append what was judged before, and write it once that is durable."""
        judged = self._judged()
        started = time.perf_counter()
        for first in range(0, len(judged), MAX_EVENTS):
            batch = judged[first : first + MAX_EVENTS]
            await self._leader.append([taken for taken, _ in batch], self._leader.kill)
            for _, order in batch:
                if not self._gateway.enter(order):
                    raise RuntimeError("the sink logged out")
        return time.perf_counter() - started

    async def whole(self) -> float:
        """Hand decisions to a sequencer until the last execution is booked."""
        booked = asyncio.Event()
        state = State(index=self._leader.tail)
        reports = 0

        async def perform(committed: Committed) -> None:
            nonlocal reports
            await performer.perform(committed)
            for action in committed.stepped.actions:
                if isinstance(action, Send):
                    reports += 1
                    filled = _filled(sequencer.state.orders[action.order], reports)
                    sequencer.put(Reported(filled))
            if reports == ORDERS and not sequencer.state.open:
                booked.set()

        sequencer = Sequencer(
            state,
            self._leader,
            context=self._context,
            gate=lambda _: lambda _: True,
            perform=perform,
        )
        performer = Performer(
            self._leader, self._gateway, sequencer, cast("Teller", _Silent()), lambda: 1
        )
        decided = [Decided(f"{n}-0", one, utc_ns()) for n, one in enumerate(self._decisions())]
        mine = self._leader.mine
        sequencer.put(TookOver(mine.epoch, mine.owner, self._settings.capital_usd))
        running = asyncio.create_task(sequencer.run())
        started = time.perf_counter()
        for one in decided:
            sequencer.put(one)
        waiting = asyncio.create_task(booked.wait())
        try:
            await asyncio.wait(
                {running, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=WHOLE_S
            )
            if running.done():
                running.result()
            if not booked.is_set():
                raise RuntimeError(f"{reports} of {ORDERS} orders were sent in {WHOLE_S} s")
            return time.perf_counter() - started
        finally:
            running.cancel()
            waiting.cancel()

    def _context(self) -> Context:
        return Context(
            now_ns=utc_ns(),
            site=self._settings.site,
            market=self._market,
            kill=self._leader.kill,
            limits=limits_of(self._settings),
            profile=profile_of(self._settings),
        )

    def _decisions(self) -> list[Decision]:
        """Return as many decisions of one order as a way takes: what one buys the next sells."""
        first, self._made = self._made, self._made + ORDERS
        return [
            Decision(
                strategy="bench",
                seq=n,
                day=DAY,
                expires_seq=1_000_000_000,
                intents=(
                    Intent(
                        id=f"bench-{n}-{SYMBOL}-0",
                        symbol=SYMBOL,
                        side=Side.SELL if n % 2 else Side.BUY,
                        qty=QTY,
                        limit=PRICE,
                        tif=TimeInForce.DAY,
                    ),
                ),
            )
            for n in range(first, self._made)
        ]

    def _judged(self) -> list[tuple[DecisionTaken, Order]]:
        taken = [
            DecisionTaken(
                decision=decision,
                digest=digest(decision),
                source=f"{decision.seq}-0",
                outcome=Outcome.ACCEPTED,
                verdicts=(Verdict(intent=decision.intents[0].id, accepted=True),),
                received_ns=utc_ns(),
            )
            for decision in self._decisions()
        ]
        return [(one, orders_of(one, self._gateway.session)[0]) for one in taken]


def _filled(order: Order, seq: int) -> ReportSeen:
    return ReportSeen(
        session=order.session,
        seq=seq,
        kind=ReportKind.EXECUTION,
        venue=VENUE,
        received_ns=utc_ns(),
        order=order.id,
        exec_id=f"E-{order.id}",
        exec_type="F",
        ord_status="2",
        day=DAY,
        symbol=order.symbol,
        side=order.side,
        qty=order.qty,
        cum_qty=order.qty,
        last_qty=order.qty,
        last_px=PRICE,
        at_ns=utc_ns(),
    )


@asynccontextmanager
async def _rig(home: Path, port: int, etcd: servers.EtcdServer) -> AsyncIterator[_Rig]:
    settings = _settings(home, port, etcd)
    async with Journal.of(settings) as journal:
        leader = await Leader.take(journal, owner="bench", site=settings.site)
        gateway = Gateway(settings, lambda _: None, utc_ns)
        gateway.proof_s = 60.0  # nobody challenges, and nobody beats
        gateway.leading = leader
        bare = Engine(
            role="initiator",
            own=[BARE],
            peers=[VENUE],
            host="127.0.0.1",
            port=port,
            store=home / "bare",
            password="secret",
            on_event=lambda _: None,
        )
        with ExitStack() as opened:
            gateway.open({})
            opened.callback(gateway.close)
            bare.start()
            opened.callback(bare.stop)
            until = time.monotonic() + LEFT_S
            while not (gateway.logged_on and bare.logged_on(BARE)):
                if time.monotonic() > until:
                    raise RuntimeError("no logon at the sink")
                await asyncio.sleep(0.05)
            yield _Rig(settings, leader, gateway, bare)


def _settings(home: Path, port: int, etcd: servers.EtcdServer) -> ExecutionSettings:
    secret = home / "secret"
    secret.write_text("secret")
    tls = etcd.certificates
    return ExecutionSettings.of(
        environment="bench",
        site="a",
        service="execution",
        http_port=9,
        http_token_file=secret,
        bus_port=9,
        bus_password_file=secret,
        journal_endpoints=list(etcd.endpoints),
        journal_ca_file=tls.ca,
        journal_cert_file=tls.client_cert,
        journal_key_file=tls.client_key,
        fix_port=port,
        fix_store=home / "store",
        fix_password_file=secret,
        max_orders_per_s=1_000_000,
    )
