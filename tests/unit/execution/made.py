"""Values that the tests of the order path are about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from apps.core.journal import Halt, KillView
from apps.core.messages import Decision, Intent, Side, Stamps
from apps.core.records import EpochTaken, ReportKind, ReportSeen
from apps.execution.apply import apply
from apps.execution.events import Context, Profile
from apps.execution.oms import journaled
from apps.execution.order import Order
from apps.execution.risk import Limits, Market
from apps.execution.state import State

DAY = "2010-01-05"
SESSION = "OPS-A-ORD"
PRICES = {"AAPL": Decimal("10.0000"), "MSFT": Decimal("20.0000"), "GE": Decimal("50.0000")}
LIMITS = Limits(
    max_order_notional_usd=Decimal(10_000),
    max_order_shares=900,
    max_position_notional_usd=Decimal(12_000),
    max_gross_notional_usd=Decimal(20_000),
    price_collar_bps=300,
    max_orders_per_s=5,
)
MARKET = Market(seq=7, day=DAY, prices=PRICES)
ON = KillView(mod=9, seen=9, halt=Halt(at_ns=1, by="alice", reason="runaway"))
OFF = KillView(mod=0, seen=10, halt=None)


def intent(name: str = "s-7-AAPL-0", **changes: Any) -> Intent:
    made = Intent(id=name, symbol="AAPL", side=Side.BUY, qty=100, limit=Decimal("10.0000"))
    return msgspec.structs.replace(made, **changes)


def decision(*intents: Intent, **changes: Any) -> Decision:
    made = Decision(strategy="s", seq=7, day=DAY, expires_seq=7, intents=intents)
    return msgspec.structs.replace(made, **changes)


def order(**changes: Any) -> Order:
    made = journaled(intent(), decision(), session=SESSION, stamps=Stamps())
    return msgspec.structs.replace(made, **changes)


def report(**changes: Any) -> ReportSeen:
    made = ReportSeen(
        session=SESSION,
        seq=2,
        kind=ReportKind.EXECUTION,
        venue="VENUE",
        received_ns=0,
        order="s-7-AAPL-0",
        exec_id="E1",
        exec_type="0",
        ord_status="0",
        day=DAY,
        symbol="AAPL",
        side=Side.BUY,
        qty=100,
    )
    return msgspec.structs.replace(made, **changes)


def fill(exec_id: str, qty: int, cum: int, **changes: Any) -> ReportSeen:
    status = "2" if cum == 100 else "1"
    price = Decimal("10.0000")
    return report(
        **{"exec_id": exec_id, "exec_type": "F", "ord_status": status, "cum_qty": cum}
        | {"last_qty": qty, "last_px": price}
        | changes
    )


def unknown(**changes: Any) -> ReportSeen:
    return report(**{"exec_type": "I", "ord_status": "8", "reason_code": 5} | changes)


def context(**changes: Any) -> Context:
    made = Context(
        now_ns=1_000, site="a", market=MARKET, kill=OFF, limits=LIMITS, profile=Profile()
    )
    return msgspec.structs.replace(made, **changes)


def led() -> State:
    """Return a state that a leader at site a has just taken over."""
    state = State()
    epoch = EpochTaken(epoch=1, owner="x", site="a", capital_usd=Decimal(1_000_000), at_ns=0)
    apply(state, epoch)
    return state
