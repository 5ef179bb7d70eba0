"""What records of the journal change in the books, as rows of their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

import msgspec
import structlog
from psycopg import AsyncConnection

from apps.core.messages import DecisionDone, Fill, OrderState, OrderUpdate
from apps.core.records import DecisionTaken, JournalRecord, OrdersSent, Outcome
from apps.execution import metrics
from apps.execution.actions import Publish
from apps.execution.apply import apply
from apps.execution.order import Order
from apps.execution.portfolio import Position
from apps.execution.state import State

log = structlog.get_logger()

# Each takes all rows of a transaction as one JSON array: a statement a row costs both sides
# several times as much. PostgreSQL reads the columns by the table's own types.
_ORDERS: LiteralString = """
    INSERT INTO orders (id, decision_id, symbol, side, qty, order_type, limit_price, tif, state,
        cum_qty, avg_px, reason, probe, data_in_ns, published_ns, decided_ns, received_ns,
        journaled_ns, sent_ns, journal_index, settled, facts)
    SELECT id, decision_id, symbol, side, qty, order_type, limit_price, tif, state,
        cum_qty, avg_px, reason, probe, data_in_ns, published_ns, decided_ns, received_ns,
        journaled_ns, sent_ns, journal_index, settled, facts
    FROM json_populate_recordset(NULL::orders, %s)
    ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, cum_qty = EXCLUDED.cum_qty,
        avg_px = EXCLUDED.avg_px, reason = EXCLUDED.reason, received_ns = EXCLUDED.received_ns,
        journaled_ns = EXCLUDED.journaled_ns, sent_ns = EXCLUDED.sent_ns,
        journal_index = EXCLUDED.journal_index, settled = EXCLUDED.settled, facts = EXCLUDED.facts
"""
_REFUSED: LiteralString = """
    INSERT INTO orders (id, decision_id, symbol, side, qty, order_type, limit_price, tif, state,
        cum_qty, avg_px, reason, probe, data_in_ns, published_ns, decided_ns, received_ns,
        journal_index, settled)
    SELECT id, decision_id, symbol, side, qty, order_type, limit_price, tif, state,
        0, 0, reason, probe, data_in_ns, published_ns, decided_ns, received_ns,
        journal_index, true
    FROM json_populate_recordset(NULL::orders, %s)
    ON CONFLICT (id) DO NOTHING
"""
_FILLS: LiteralString = """
    INSERT INTO fills (venue, day, exec_id, side, order_id, decision_seq, symbol, qty, price,
        at_ns, journal_index)
    SELECT venue, day, exec_id, side, order_id, decision_seq, symbol, qty, price,
        at_ns, journal_index
    FROM json_populate_recordset(NULL::fills, %s)
    ON CONFLICT DO NOTHING RETURNING exec_id, order_id
"""
_DECISIONS: LiteralString = """
    INSERT INTO decisions (id, strategy, seq, day, verdict, reason, digest, outcome, journal_index)
    SELECT id, strategy, seq, day, verdict, reason, digest, outcome, journal_index
    FROM json_populate_recordset(NULL::decisions, %s)
"""
_CHANGED: LiteralString = """
    UPDATE decisions SET verdict = coalesce(changed.verdict, decisions.verdict),
        reason = coalesce(changed.reason, decisions.reason), journal_index = changed.journal_index
    FROM json_populate_recordset(NULL::decisions, %s) AS changed
    WHERE decisions.id = changed.id
"""
_POSITIONS: LiteralString = """
    INSERT INTO positions (symbol, qty, cost)
    SELECT symbol, qty, cost FROM json_populate_recordset(NULL::positions, %s)
    ON CONFLICT (symbol) DO UPDATE SET qty = EXCLUDED.qty, cost = EXCLUDED.cost
"""

Connection = AsyncConnection[tuple[Any, ...]]
Row = dict[str, object]

_encoder = msgspec.json.Encoder(decimal_format="string")


class Rows:
    """What records change, gathered so that a row is written once.

    Orders are kept here as well: the state forgets settled ones while records of many more
    are applied.
    """

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self._orders: dict[str, tuple[Order, int]] = {}
        """Changed orders, and the index of the record that changed them last."""
        self._refused: list[Row] = []
        self._decisions: dict[str, Row] = {}
        """Decisions that these records took, by id."""
        self._changed: dict[str, Row] = {}
        """What changes of decisions that were taken before."""
        self._fills: list[Fill] = []
        self._symbols: set[str] = set()

    def take(self, state: State, record: JournalRecord) -> None:
        """Apply a record to the state, and note what it changes."""
        actions = apply(state, record)
        if isinstance(record, DecisionTaken):
            self._decision(state, record)
        if isinstance(record, OrdersSent):
            self._touch(state, record.at_ns)
        for action in actions:
            if isinstance(action, Publish):
                self._told(state, action.message, record)

    def _decision(self, state: State, record: DecisionTaken) -> None:
        decision, taken = record.decision, state.decisions[record.decision.id]
        verdict = {Outcome.ACCEPTED: "open" if taken.open else "done"}.get(
            record.outcome, str(record.outcome)
        )
        self._decisions[decision.id] = {
            "id": decision.id,
            "strategy": decision.strategy,
            "seq": decision.seq,
            "day": decision.day or None,
            "verdict": verdict,
            "reason": record.reason,
            "digest": record.digest,
            "outcome": record.outcome,
            "journal_index": state.index,
        }
        self._touch(state, taken.open)

    def _touch(self, state: State, orders: Iterable[str]) -> None:
        self._orders |= {o: (state.orders[o], state.index) for o in orders if o in state.orders}

    def _told(
        self, state: State, message: OrderUpdate | Fill | DecisionDone, record: JournalRecord
    ) -> None:
        match message:
            case OrderUpdate() if message.id in state.orders:
                self._touch(state, (message.id,))
            case OrderUpdate() if isinstance(record, DecisionTaken):
                self._refused.append(_refused(message, record))
            case Fill():
                self._fills.append(message)
                self._touch(state, (message.order,))
                self._symbols.add(message.symbol)
            case DecisionDone(verdict="divergent"):
                self._change(message, reason=message.reason)
            case DecisionDone():
                self._change(message, verdict=message.verdict)

    def _change(self, message: DecisionDone, **changes: str) -> None:
        name = message.decision
        row = self._decisions.get(name) or self._changed.setdefault(name, {"id": name})
        row |= {**changes, "journal_index": message.index}

    async def write(self, connection: Connection, state: State) -> None:
        """Write the rows; `state` is the one after all records that were taken."""
        cursor, orders = connection.cursor(), self._orders
        held = state.portfolio.positions
        for query, rows in (
            (_DECISIONS, [*self._decisions.values()]),
            (_ORDERS, [_order(state.orders.get(o, kept), at) for o, (kept, at) in orders.items()]),
            (_REFUSED, self._refused),
            (_CHANGED, [*self._changed.values()]),
            (_POSITIONS, [_position(s, held[s]) for s in self._symbols if s in held]),
        ):
            if rows:
                await cursor.execute(query, (_json(rows),))
        if self._fills:
            await cursor.execute(_FILLS, (_json([_fill(f, orders) for f in self._fills]),))
            booked = set(await cursor.fetchall())
            for fill in self._fills:
                if (fill.exec_id, fill.order) not in booked:
                    metrics.ALARMS.labels("execution_of_two_orders").inc()
                    log.error(
                        "execution booked for two orders", exec_id=fill.exec_id, order=fill.order
                    )
        await cursor.execute(
            "UPDATE cash SET usd = %s WHERE usd <> %s", (state.portfolio.cash,) * 2
        )


def _json(rows: list[Row]) -> str:
    return _encoder.encode(rows).decode()


def _position(symbol: str, held: Position) -> Row:
    return {"symbol": symbol, "qty": held.qty, "cost": held.cost}


def _order(order: Order, index: int) -> Row:
    intent, stamps = order.intent, order.stamps
    return {
        "id": order.id,
        "decision_id": order.decision,
        "symbol": order.symbol,
        "side": order.side,
        "qty": order.qty,
        "order_type": intent.order_type if intent else None,
        "limit_price": intent.limit if intent else None,
        "tif": intent.tif if intent else None,
        "state": order.state,
        "cum_qty": order.cum_qty,
        "avg_px": order.avg_px,
        "reason": order.reason,
        "probe": order.probe,
        "data_in_ns": stamps.data_in,
        "published_ns": stamps.published,
        "decided_ns": stamps.decided,
        "received_ns": stamps.received,
        "journaled_ns": stamps.journaled,
        "sent_ns": stamps.sent,
        "journal_index": index,
        "settled": order.settled,
        "facts": order,
    }


def _refused(update: OrderUpdate, record: DecisionTaken) -> Row:
    intent = next(i for i in record.decision.intents if i.id == update.id)
    stamps = update.stamps
    return {
        "id": update.id,
        "decision_id": update.decision,
        "symbol": update.symbol,
        "side": update.side,
        "qty": update.qty,
        "order_type": intent.order_type,
        "limit_price": intent.limit,
        "tif": intent.tif,
        "state": OrderState.REJECTED,
        "reason": update.reason,
        "probe": update.probe,
        "data_in_ns": stamps.data_in,
        "published_ns": stamps.published,
        "decided_ns": stamps.decided,
        "received_ns": stamps.received,
        "journal_index": update.index,
    }


def _fill(fill: Fill, orders: Mapping[str, tuple[Order, int]]) -> Row:
    order, _ = orders.get(fill.order, (None, 0))
    return {
        "venue": fill.venue,
        "day": fill.day,
        "exec_id": fill.exec_id,
        "side": fill.side,
        "order_id": fill.order,
        "decision_seq": order.seq if order else None,
        "symbol": fill.symbol,
        "qty": fill.qty,
        "price": fill.price,
        "at_ns": fill.at_ns,
        "journal_index": fill.index,
    }
