from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from apps.core.messages import OrderState
from apps.execution.decide import step
from apps.execution.events import Decided, Reported, SessionChanged
from apps.execution.reconcile import Account, compare, of_books, of_journal, of_venue
from tests.unit.execution.made import SESSION, context, decision, fill, intent, led

CAPITAL = Decimal(1_000_000)
ACCEPT = {"kind": "accept", "cl_ord_id": "s-7-AAPL-0", "symbol": "AAPL", "side": "buy", "qty": 100}
EXECUTION: dict[str, Any] = {
    "kind": "execution",
    "exec_id": "E1",
    "day": "2010-01-05",
    "cl_ord_id": "s-7-AAPL-0",
    "symbol": "AAPL",
    "side": "buy",
    "qty": 100,
    "price": "10.0000",
}
FILL = ("2010-01-05", "E1", "buy", "s-7-AAPL-0", "AAPL", 100, Decimal("10.0000"))


def venue(*rows: dict[str, Any]) -> Account:
    return of_venue(json.dumps(row) for row in rows)


def books(**changes: Any) -> Account:
    given: dict[str, Any] = {
        "orders": [("s-7-AAPL-0", "filled")],
        "fills": [FILL],
        "positions": [("AAPL", 100)],
        "cash": CAPITAL - 1_000,
    }
    return of_books(**(given | changes))


def test_three_accounts_of_the_same_trading_agree() -> None:
    seen = venue(ACCEPT, {**EXECUTION, "maker": True, "side": "sell"}, EXECUTION)
    assert compare(seen, books(), capital_usd=CAPITAL).clean

    state, journal = led(), []
    for event in (
        SessionChanged(SESSION, up=True),
        Decided("1-0", decision(intent()), 0),
        Reported(fill("E1", 100, 100)),
    ):
        journal += step(state, [event], context()).records
    account = of_journal(journal)
    assert account.orders == {"s-7-AAPL-0": OrderState.FILLED}
    assert compare(seen, account).clean


def test_a_torn_last_line_is_no_record() -> None:
    lines = [json.dumps(ACCEPT), json.dumps(EXECUTION), '{"kind": "execu']
    assert compare(of_venue(lines), books(), capital_usd=CAPITAL).clean


def test_what_is_at_the_venue_only_is_lost() -> None:
    found = compare(
        venue(ACCEPT, EXECUTION), books(orders=[], fills=[], positions=[], cash=CAPITAL)
    )
    assert len(found.lost) == 2
    assert "order s-7-AAPL-0" in found.lost[1]


def test_twice_is_duplicated() -> None:
    found = compare(venue(ACCEPT, ACCEPT, EXECUTION, EXECUTION), books())
    assert len(found.duplicated) == 2


def test_what_differs_is_mismatched() -> None:
    other = (*FILL[:5], 99, FILL[6])
    assert compare(venue(ACCEPT, EXECUTION), books(fills=[other])).mismatched
    assert compare(venue(ACCEPT), books(positions=[], cash=CAPITAL)).mismatched
    assert compare(venue(ACCEPT, EXECUTION), books(positions=[("AAPL", 99)])).mismatched
    assert compare(venue(ACCEPT, EXECUTION), books(cash=CAPITAL), capital_usd=CAPITAL).mismatched


def test_an_order_that_is_not_settled_is_told() -> None:
    found = compare(venue(ACCEPT, EXECUTION), books(orders=[("s-7-AAPL-0", "in_doubt")]))
    assert found.unsettled == ("books: order s-7-AAPL-0 is in_doubt",)
    assert not found.clean
