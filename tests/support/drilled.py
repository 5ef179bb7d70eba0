"""Makes the recorded run of a drill with as many orders as wanted, by a takeover that is told.

Its lines are written by the writers of the apps, so that a change of their form is one
here. Site a leads epoch 3 until it is killed; b takes epoch 4. The last orders before that
are in doubt: the venue has accepted one half of them, the other half is entered again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.core.messages import Decision, Intent, OrderType, Side, Stamps, TimeInForce
from apps.core.records import (
    DecisionTaken,
    DoubtSettled,
    EpochTaken,
    JournalRecord,
    OrdersSent,
    Outcome,
    ReportKind,
    ReportSeen,
    Verdict,
)
from apps.venue.lines import Accept, Event, Execution

BEGAN_NS = 1_795_953_392_000_000_000
MS = 1_000_000
CLIENT = "drillc0ffee"
DAY = "2012-03-05"
IN_DOUBT = 4
"""Orders that the former leader has journaled and nobody has answered when it is killed."""


@dataclass
class Made:
    """The lines of a run before they are written; a test may change them."""

    client: list[Any] = field(default_factory=list)
    journal: list[tuple[int, JournalRecord]] = field(default_factory=list)
    """Epoch and record."""
    venue: list[Event] = field(default_factory=list)
    copies: dict[str, list[str]] = field(default_factory=lambda: {"a": [], "b": []})
    books: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"a": [], "b": []})
    logs: list[dict[str, Any]] = field(default_factory=list)
    fault_ns: int = 0
    resumed_ns: int = 0
    last_ns: int = 0
    ended_ns: int = 0
    taken_ns: int = 0


def made(orders: int, *, rate_per_s: float = 200.0, rto_ms: float = 40.0) -> Made:
    """Return a run of so many orders, two to a decision, the fault in their middle."""
    found = Made()
    every = random.Random(7)
    step_ns = round(2e9 / rate_per_s)
    decisions = orders // 2
    struck = decisions // 2
    found.fault_ns = BEGAN_NS + struck * step_ns
    found.taken_ns = found.fault_ns + 12 * MS
    found.resumed_ns = found.fault_ns + round(rto_ms * MS) - 3 * MS
    found.last_ns = found.fault_ns - 3 * MS
    number = 0
    doubts: list[tuple[Intent, int, int]] = []
    for decision in range(decisions):
        if decision == struck:
            _take(found)
            for doubt in doubts:
                _doubtful(found, *doubt)
        at_ns = BEGAN_NS + decision * step_ns - (1 * MS if decision < struck else 0)
        doubtful = struck - IN_DOUBT // 2 <= decision < struck
        if doubtful:
            at_ns = found.fault_ns - (struck - decision) * MS // 2
        led = "a" if decision < struck else "b"
        intents = tuple(
            Intent(
                id=f"{CLIENT}-{decision}-{leg}",
                symbol=("KO", "PFE", "JNJ", "XOM")[(decision + leg) % 4],
                side=Side.BUY if decision % 2 else Side.SELL,
                qty=1 + leg,
                limit=Decimal("20.10"),
            )
            for leg in range(2)
        )
        _decide(found, decision, intents, at_ns, led)
        for leg, intent in enumerate(intents):
            number += 1
            if doubtful:
                doubts.append((intent, number, leg))
                continue
            wait_ns = round(every.uniform(0.8, 1.6) * MS)
            accepted_ns = at_ns + wait_ns
            if decision == struck:
                accepted_ns = max(accepted_ns, found.resumed_ns)
            elif led == "b":
                accepted_ns = max(accepted_ns, found.resumed_ns + number * 1_000)
            else:
                accepted_ns = min(accepted_ns, found.last_ns - (IN_DOUBT + 2) * 1_000)
            _answered(found, intent, number, led, accepted_ns)
    found.ended_ns = max(BEGAN_NS + decisions * step_ns, found.resumed_ns) + 500 * MS
    found.client.sort(key=lambda row: row["at_ns"])
    found.venue.sort(key=lambda line: line.at_ns)
    return found


def _decide(found: Made, number: int, intents: tuple[Intent, ...], at_ns: int, led: str) -> None:
    epoch = 3 if led == "a" else 4
    found.client.append(
        {"type": "submitted", "at_ns": at_ns, "orders": [intent.id for intent in intents]}
    )
    decision = Decision(
        strategy=CLIENT,
        seq=number,
        day=DAY,
        expires_seq=2_000_000_000,
        intents=intents,
        stamps=Stamps(data_in=at_ns, published=at_ns, decided=at_ns),
    )
    received_ns = at_ns + MS // 5
    found.journal.append(
        (
            epoch,
            DecisionTaken(
                decision=decision,
                digest=f"{number:08x}",
                source=f"{number}-0",
                outcome=Outcome.ACCEPTED,
                verdicts=tuple(Verdict(intent=i.id, accepted=True) for i in intents),
                received_ns=received_ns,
            ),
        )
    )
    found.journal.append(
        (
            epoch,
            OrdersSent(
                session=f"OPS-{led.upper()}-ORD",
                journaled_ns=received_ns + MS // 5,
                at_ns={i.id: received_ns + MS // 4 for i in intents},
            ),
        )
    )


def _take(found: Made) -> None:
    found.journal.append(
        (
            4,
            EpochTaken(
                epoch=4,
                owner="b-1",
                site="b",
                capital_usd=Decimal(1_000_000),
                at_ns=found.taken_ns,
                session="OPS-B-ORD",
            ),
        )
    )
    waiting = [
        intent.id
        for _, record in found.journal[-2 * IN_DOUBT - 1 :]
        if isinstance(record, DecisionTaken)
        for intent in record.decision.intents
    ][-IN_DOUBT:]
    for order in waiting[1::2]:
        at_ns = found.taken_ns + 5 * MS
        found.journal.append(
            (
                4,
                DoubtSettled(
                    order=order, step="reenter", reason="unknown at the venue", at_ns=at_ns
                ),
            )
        )
    found.logs.append(
        {
            "at_ns": found.taken_ns,
            "service": "execution@b",
            "text": '{"event": "epoch taken", "epoch": 4, "level": "info"}',
        }
    )


def _doubtful(found: Made, intent: Intent, number: int, leg: int) -> None:
    """Accepted on the former session but not answered, or entered again by the successor."""
    if leg == 0:
        _answered(found, intent, number, "a", found.last_ns, told="b")
    else:
        _answered(found, intent, number, "b", found.resumed_ns + number * 1_000)


def _answered(
    found: Made, intent: Intent, number: int, led: str, accepted_ns: int, told: str = ""
) -> None:
    """Let the venue accept and fill an order, and every account hear of it."""
    price = Decimal("20.00") + Decimal(number % 7) / 100
    session = f"OPS-{led.upper()}-ORD"
    limit = intent.limit

    def line(kind: type[Any], exec_id: str, at_ns: int, **more: Any) -> Any:
        return kind(
            n=0,
            at_ns=at_ns,
            exec_id=exec_id,
            day=DAY,
            session=session,
            cl_ord_id=intent.id,
            order_id=f"V{number}",
            symbol=intent.symbol,
            side=intent.side,
            type=OrderType.LIMIT,
            limit=limit,
            tif=TimeInForce.IOC,
            qty=intent.qty,
            **more,
        )

    fill_id = f"E{number}"
    found.venue.append(line(Accept, f"A{number}", accepted_ns, leaves_qty=intent.qty))
    found.venue.append(
        line(
            Execution,
            fill_id,
            accepted_ns,
            cum_qty=intent.qty,
            avg_px=price,
            price=price,
            order_qty=intent.qty,
            trade_id=f"T{number}",
        )
    )
    heard_ns = accepted_ns + MS // 2
    if told:
        heard_ns = found.taken_ns + 4 * MS
    epoch = 3 if (told or led) == "a" else 4
    # What a follower heard of its drop copy is journaled when it has taken over.
    heard_on = f"OPS-{told.upper()}-DROP" if told else session
    for exec_type, status, exec_id, last in (
        ("0", "0", f"A{number}", 0),
        ("F", "2", fill_id, intent.qty),
    ):
        found.journal.append(
            (
                epoch,
                ReportSeen(
                    session=heard_on,
                    seq=number,
                    kind=ReportKind.EXECUTION,
                    venue="VENUE",
                    received_ns=heard_ns,
                    order=intent.id,
                    exec_id=exec_id,
                    exec_type=exec_type,
                    ord_status=status,
                    day=DAY,
                    symbol=intent.symbol,
                    side=intent.side,
                    qty=intent.qty,
                    cum_qty=last,
                    last_qty=last,
                    last_px=price if last else Decimal(0),
                    at_ns=accepted_ns,
                ),
            )
        )
    found.client.append(
        {
            "type": "acknowledged",
            "order": intent.id,
            "at_ns": heard_ns + MS // 4,
            "state": "filled",
        }
    )
    at = datetime.fromtimestamp(heard_ns // 1_000 / 1e6, UTC)
    fix = {
        8: "FIX.4.4",
        35: "8",
        52: f"{at:%Y%m%d-%H:%M:%S.%f}",
        11: intent.id,
        17: fill_id,
        31: price,
        32: intent.qty,
        54: 1 if intent.side is Side.BUY else 2,
        55: intent.symbol,
        75: DAY.replace("-", ""),
        150: "F",
    }
    body = "".join(f"{tag}={value}\x01" for tag, value in fix.items())
    message = f"{body}10={sum(body.encode()) % 256:03d}\x01"
    index = 100 + len(found.journal)
    for site in ("a", "b"):
        found.copies[site].append(message)
        found.books[site] += [
            {
                "table": "orders",
                "id": intent.id,
                "symbol": intent.symbol,
                "side": intent.side.value,
                "qty": intent.qty,
                "state": "filled",
                "cum_qty": intent.qty,
                "journal_index": index,
                "settled": True,
            },
            {
                "table": "fills",
                "venue": "VENUE",
                "day": DAY,
                "exec_id": fill_id,
                "side": intent.side.value,
                "order_id": intent.id,
                "symbol": intent.symbol,
                "qty": intent.qty,
                "price": str(price),
                "at_ns": accepted_ns,
                "journal_index": index,
            },
        ]
