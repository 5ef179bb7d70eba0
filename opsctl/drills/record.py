"""The venue's own record, read from outside with the standard library alone: pure values.

docs/venue.md describes the lines. Nothing of the platform's code is used, so that what is
found does not depend on what is judged.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

Key = tuple[str, str, str]
"""Trading day, ExecID, side: one execution."""


@dataclass(frozen=True)
class Executed:
    """One execution of the firm."""

    order: str
    symbol: str
    side: str
    qty: int
    price: Decimal


class Accepted(NamedTuple):
    """One acceptance of an order of the firm."""

    at_ns: int
    order: str
    session: str


@dataclass
class Record:
    """What the venue accepted, refused and executed for the firm, and what rests there."""

    accepted: list[Accepted] = field(default_factory=list)
    executions: dict[Key, Executed] = field(default_factory=dict)
    repeated: list[Key] = field(default_factory=list)
    resting: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)

    @property
    def twice(self) -> list[str]:
        """The orders that were accepted more than once."""
        counted = Counter(one.order for one in self.accepted)
        return sorted(order for order, n in counted.items() if n > 1)


def shares(executions: Iterable[Executed]) -> dict[str, int]:
    """Return what is held after executions."""
    held = defaultdict[str, int](int)
    for one in executions:
        held[one.symbol] += one.qty if one.side == "buy" else -one.qty
    return {symbol: qty for symbol, qty in held.items() if qty}


def read(lines: Iterable[bytes]) -> Record:
    """Return what a record says; a torn last line says nothing."""
    found = Record()
    for row in _rows(lines):
        if row.get("maker"):
            continue
        order = row.get("cl_ord_id", "")
        match row.get("kind"):
            case "accept":
                found.accepted.append(Accepted(row["at_ns"], order, row["session"]))
                found.resting.add(order)
            case "reject":
                found.rejected.add(order)
            case "execution":
                key = (row["day"], row["exec_id"], row["side"])
                if key in found.executions:
                    found.repeated.append(key)
                price = Decimal(str(row["price"]))
                found.executions[key] = Executed(
                    order, row["symbol"], row["side"], row["qty"], price
                )
                if row.get("leaves_qty") == 0:
                    found.resting.discard(order)
            case "cancel" | "expire":
                found.resting.discard(row.get("orig_cl_ord_id") or order)
    return found


def _rows(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row
