"""Does what was decided, once it is durable: sends first, everything else after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from apps.core import clock
from apps.core.clock import Clock, utc_ns
from apps.core.leader import Leader
from apps.core.messages import DecisionDone, Fill, OrderUpdate, TimeInForce
from apps.execution import metrics
from apps.execution.actions import Action, Alarm, AskStatus, Cancel, Publish, Send
from apps.execution.apply import order_update
from apps.execution.events import Dispatched
from apps.execution.gateway import Gateway
from apps.execution.order import Order
from apps.execution.sequencer import Committed, Sequencer
from apps.execution.state import State
from apps.execution.teller import Teller

log = structlog.get_logger()

PROVE_EVERY_S = 0.01
ANSWER_WITHIN_S = 1.0
"""An answer that is owed for longer is asked for (again)."""
HELD_AGAIN_S = 10.0
"""How often an order that is held in doubt is asked for."""


class Performer:
    """Turns actions into effects."""

    def __init__(
        self,
        leader: Leader,
        gateway: Gateway,
        sequencer: Sequencer,
        teller: Teller,
        market_seq: Callable[[], int],
        clock: Clock = utc_ns,
    ) -> None:
        """Act through these."""
        self._leader = leader
        self._gateway = gateway
        self._sequencer = sequencer
        self._teller = teller
        self._market_seq = market_seq
        self._clock = clock
        self._asked: dict[str, float] = {}

    async def perform(self, committed: Committed) -> None:
        """Act on a durable batch."""
        actions, state = committed.stepped.actions, self._sequencer.state
        sends = [action for action in actions if isinstance(action, Send)]
        messages: list[OrderUpdate | Fill | DecisionDone] = []
        if sends:
            messages += await self._enter(sends, state, committed.journaled_ns)
        for action in actions:
            messages += self._act(action, state)
        if messages or committed.stepped.records:
            self._teller.tell(messages, state.message())

    async def _enter(
        self, sends: list[Send], state: State, journaled_ns: int
    ) -> list[OrderUpdate | Fill | DecisionDone]:
        """Send journaled orders; what is kept back becomes an event of its own."""
        sent: dict[str, int] = {}
        withheld: dict[str, str] = {}
        for send in sends:
            await self._prove()
            order = state.orders[send.order]
            if why_not := self._gateway.withholds(order, market_seq=self._market_seq()):
                withheld[order.id] = why_not
            elif self._gateway.enter(order):
                sent[order.id] = self._clock()
            self._asked[order.id] = clock.monotonic()
        dispatched = Dispatched(self._gateway.session, journaled_ns, sent, withheld)
        if withheld:
            log.warning("orders withheld", orders=withheld)
            metrics.ORDERS_WITHHELD.inc(len(withheld))
            self._sequencer.put(dispatched)
        else:
            self._sequencer.put_lazily(dispatched)
        return [
            self._stamped(state.orders[order_id], state.index, journaled_ns, at_ns)
            for order_id, at_ns in sent.items()
        ]

    def _stamped(self, order: Order, index: int, journaled_ns: int, sent_ns: int) -> OrderUpdate:
        metrics.ORDERS_SENT.inc()
        stamps = msgspec.structs.replace(order.stamps, journaled=journaled_ns, sent=sent_ns)
        metrics.RECEIVED_TO_SENT.observe((sent_ns - stamps.received) / 1e9)
        if stamps.data_in:
            metrics.TICK_TO_ORDER.observe((sent_ns - stamps.data_in) / 1e9)
        return order_update(order, index, stamps)

    async def _prove(self) -> None:
        """Wait until leadership is confirmed recently enough to send under it."""
        while not self._leader.proven(self._gateway.proof_s):
            if not await self._leader.beat(self._sequencer.commits):
                await asyncio.sleep(PROVE_EVERY_S)

    def _act(self, action: Action, state: State) -> list[OrderUpdate | Fill | DecisionDone]:
        match action:
            case Publish():
                if isinstance(action.message, Fill):
                    metrics.FILLS.inc()
                return [action.message]
            case Cancel():
                order = state.orders[action.order]
                if not self._gateway.may_cancel(order):
                    log.info("cancel left to the site of its session", order=order.id)
                elif not self._gateway.cancel(order, action.cancel):
                    log.warning("cancel not sent: session down", order=order.id)
            case AskStatus():
                self._asked[action.order] = clock.monotonic()
                self._gateway.ask(state.orders[action.order])
            case Alarm():
                metrics.ALARMS.labels(action.kind).inc()
                if action.kind == "divergence":
                    metrics.DIVERGENCES.inc()
                log.error("alarm", kind=action.kind, detail=action.detail)
        return []

    def overdue(self, state: State) -> tuple[str, ...]:
        """Return the open orders about which the venue owes an answer for too long."""
        now = clock.monotonic()
        self._asked = {order: at for order, at in self._asked.items() if order in state.open}
        return tuple(
            order.id
            for order in state.open_orders()
            if _owed(order)
            and now - self._asked.setdefault(order.id, now)
            > (HELD_AGAIN_S if order.held else ANSWER_WITHIN_S)
        )


def _owed(order: Order) -> bool:
    """Whether the venue should have said more about an open order by now."""
    at_once = order.intent is not None and order.intent.tif is not TimeInForce.DAY
    return at_once or order.unanswered or order.doubt or order.missing > 0 or bool(order.cancel)
