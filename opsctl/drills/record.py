"""The venue's own record, read from outside with the standard library alone: pure values.

docs/venue.md describes the lines. Nothing of the platform's code is used, so that what is
found does not depend on what is judged. `opsctl.drills.venue_window` reads the part of it
that is a drill's.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
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
    earlier: dict[Key, Executed] = field(default_factory=dict)
    """Executions from before the drill, as far as they were read."""
    accepted_earlier: set[str] = field(default_factory=set)
    """Orders that were accepted before the drill, as far as they were read."""

    @property
    def twice(self) -> list[str]:
        """The orders that were accepted more than once, at least once of it now."""
        counted = Counter(one.order for one in self.accepted)
        return sorted(
            order for order, n in counted.items() if n > 1 or order in self.accepted_earlier
        )

    def take(self, line: bytes) -> None:
        """Take the next line; a torn one, and what is not the firm's, says nothing."""
        row = _row(line)
        if row.get("maker"):
            return
        order = row.get("cl_ord_id", "")
        match row.get("kind"):
            case "accept":
                self.accepted.append(Accepted(row["at_ns"], order, row["session"]))
                self.resting.add(order)
            case "reject":
                self.rejected.add(order)
            case "execution":
                self._executed(row, order)
            case "cancel" | "expire":
                self.resting.discard(row.get("orig_cl_ord_id") or order)

    def begin(self) -> None:
        """Let everything that was taken so far be from before; what rests, rests on."""
        self.earlier |= self.executions
        self.accepted_earlier |= {one.order for one in self.accepted}
        self.accepted, self.executions = [], {}
        self.repeated, self.rejected = [], set()

    def _executed(self, row: dict[str, Any], order: str) -> None:
        key = (row["day"], row["exec_id"], row["side"])
        if key in self.executions or key in self.earlier:
            self.repeated.append(key)
        price = Decimal(str(row["price"]))
        self.executions[key] = Executed(order, row["symbol"], row["side"], row["qty"], price)
        if row.get("leaves_qty") == 0:
            self.resting.discard(order)


def shares(executions: Iterable[Executed]) -> dict[str, int]:
    """Return what is held after executions."""
    held = defaultdict[str, int](int)
    for one in executions:
        held[one.symbol] += one.qty if one.side == "buy" else -one.qty
    return {symbol: qty for symbol, qty in held.items() if qty}


def read(lines: Iterable[bytes]) -> Record:
    """Return what a record says; a torn last line says nothing."""
    found = Record()
    for line in lines:
        found.take(line)
    return found


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
