"""Judges a platform by the venue's own record, with nothing of the platform's code.

The record is JSON lines (docs/venue.md); this module reads it with the standard library
alone, so that what it finds does not depend on what it judges.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

Row = tuple[Any, ...]
SETTLED = frozenset({"filled", "canceled", "rejected", "expired"})
ExecKey = tuple[str, str, str]
"""Trading day, ExecID, side: what makes an execution one execution."""


@dataclass(frozen=True)
class Execution:
    """One execution of the firm, as the venue recorded it."""

    order: str
    symbol: str
    side: str
    qty: int
    price: Decimal


@dataclass
class Witness:
    """What the venue accepted, rejected and executed for the firm."""

    accepted: Counter[str] = field(default_factory=Counter)
    rejected: set[str] = field(default_factory=set)
    executions: dict[ExecKey, Execution] = field(default_factory=dict)
    doubled: list[ExecKey] = field(default_factory=list)


def read(path: Path) -> Witness:
    """Read a venue record; a torn last line (the venue was killed) is left out."""
    seen = Witness()
    for line in path.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["kind"] == "accept" and not row.get("maker"):
            seen.accepted[row["cl_ord_id"]] += 1
        elif row["kind"] == "reject":
            seen.rejected.add(row["cl_ord_id"])
        elif row["kind"] == "execution" and not row.get("maker"):
            key = (row["day"], row["exec_id"], row["side"])
            if key in seen.executions:
                seen.doubled.append(key)
            seen.executions[key] = Execution(
                row["cl_ord_id"], row["symbol"], row["side"], row["qty"], Decimal(row["price"])
            )
    return seen


def holdings(executions: Iterable[Execution]) -> tuple[Decimal, dict[str, int]]:
    """Return the cash spent (negative) or earned, and the shares held, after executions."""
    cash, shares = Decimal(0), defaultdict[str, int](int)
    for one in executions:
        sign = 1 if one.side == "buy" else -1
        cash -= sign * one.qty * one.price
        shares[one.symbol] += sign * one.qty
    return cash, {symbol: qty for symbol, qty in shares.items() if qty}


def equity(
    capital: Decimal, executions: Iterable[Execution], closes: Mapping[str, Decimal]
) -> Decimal:
    """Return capital plus P&L at the given closes, in dollars and cents and beyond."""
    cash, shares = holdings(executions)
    return capital + cash + sum((qty * closes[s] for s, qty in shares.items()), Decimal(0))


@dataclass
class Books:
    """What PostgreSQL holds of the same trading."""

    fills: dict[ExecKey, Execution]
    states: dict[str, str]
    """State of every order by its id."""
    held: dict[str, int]


def books_of(connection: psycopg.Connection[Row]) -> Books:
    """Read the books, at one instant."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        fills = {
            (day.isoformat(), exec_id, side): Execution(order, symbol, side, qty, price)
            for day, exec_id, side, order, symbol, qty, price in connection.execute(
                "SELECT day, exec_id, side, order_id, symbol, qty, price FROM fills"
            )
        }
        states: dict[str, str] = dict(connection.execute("SELECT id, state FROM orders").fetchall())
        held = connection.execute("SELECT symbol, qty FROM positions WHERE qty <> 0").fetchall()
    return Books(fills, states, dict(held))


def faults(witness: Witness, books: Books, acknowledged: Iterable[str] = ()) -> list[str]:
    """Return every disagreement between the venue's record and the books; none is right.

    `acknowledged` are the orders that a client was told are in the journal.
    """
    executed, booked, states = witness.executions, books.fills, books.states
    found = [f"venue executed twice: {key}" for key in witness.doubled]
    found += [f"accepted {n} times: {order}" for order, n in witness.accepted.items() if n > 1]
    found += [f"fill not booked: {k} {v}" for k, v in executed.items() if k not in booked]
    found += [f"fill invented: {k} {v}" for k, v in booked.items() if k not in executed]
    found += [
        f"fill differs: {key}: venue {executed[key]}, books {booked[key]}"
        for key in booked.keys() & executed.keys()
        if executed[key] != booked[key]
    ]
    found += [f"acknowledged, not in the books: {o}" for o in acknowledged if o not in states]
    found += [f"not settled: {o} is {s}" for o, s in states.items() if s not in SETTLED]
    found += [f"at the venue, not in the books: {o}" for o in witness.accepted if o not in states]
    _, shares = holdings(executed.values())
    if books.held != shares:
        found.append(f"positions differ: venue {shares}, books {books.held}")
    return found
