"""Who says what about the same orders: client, journal, books, drop copies, venue; pure.

Lost is what a client was told and nobody can account for; duplicated what happened twice
for one intent. Everything that disagrees is named. What is compared is what happened since
the drill began, and what was open then; of what is older only that nothing is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from apps.core.records import DecisionTaken, JournalRecord, ReportSeen
from opsctl.drills.drop_copy import DropCopy
from opsctl.drills.record import Executed, Key, Record, shares
from opsctl.model.value import Value

SETTLED = frozenset({"filled", "canceled", "rejected", "expired"})


@dataclass
class Journaled:
    """What the journal's records say, without the platform's state machines."""

    accepted: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    executions: dict[Key, Executed] = field(default_factory=dict)
    drop_copied: set[Key] = field(default_factory=set)
    """The executions that came by a drop copy before, or instead of, the order session."""


Booked = Mapping[tuple[str, str], tuple[int, int, Decimal]]
"""By symbol and side: how many executions, of how many shares, for how many USD."""


@dataclass(frozen=True)
class Held:
    """What a site's books hold, as of a record of the journal."""

    index: int
    positions: Mapping[str, int]
    booked: Booked = field(default_factory=dict)
    orders: int = 0
    """How many orders they know of."""


@dataclass(frozen=True)
class Books:
    """What a site's PostgreSQL has since a drill began: orders by state, fills, positions."""

    site: str
    states: Mapping[str, str]
    """Of the orders that changed since, or are open."""
    fills: Mapping[Key, Executed]
    held: Mapping[str, int]
    before: Mapping[str, int] = field(default_factory=dict)
    """What it held as the drill began."""


class Reconciled(Value):
    """What the accounts come to; the lists say what disagrees, each line by name."""

    orders_acknowledged: int
    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    open_orders: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether every account agrees with every other."""
        return not self.faults

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that disagrees."""
        return (*self.lost, *self.duplicated, *self.positions, *self.open_orders)


def lasting(before: Reconciled, now: Reconciled) -> Reconciled:
    """Return what two comparisons, one after the other, both name.

    Accounts are read one after another while trading goes on, so that each lags a little
    behind the venue: such a difference is another one the next time. What happened twice
    does not pass: of that the later one tells.
    """
    return now.model_copy(
        update={
            kind: tuple(line for line in getattr(now, kind) if line in set(getattr(before, kind)))
            for kind in ("lost", "positions", "open_orders")
        }
    )


def journaled(records: Collection[JournalRecord], before: Journaled | None = None) -> Journaled:
    """Return what records say of orders and executions, beside what those before them said."""
    found = Journaled() if before is None else before
    for record in records:
        if isinstance(record, DecisionTaken):
            for verdict in record.verdicts:
                (found.accepted if verdict.accepted else found.refused).add(verdict.intent)
        elif isinstance(record, ReportSeen) and record.exec_type == "F" and record.side:
            key = (record.day, record.exec_id, record.side.value)
            if key not in found.executions and "-DROP" in record.session:
                found.drop_copied.add(key)
            found.executions.setdefault(
                key,
                Executed(
                    record.order,
                    record.symbol,
                    record.side.value,
                    record.last_qty,
                    Decimal(record.last_px),
                ),
            )
    return found


def reconcile(
    *,
    acknowledged: Collection[str],
    journal: Journaled,
    books: Collection[Books],
    drop_copies: Collection[DropCopy],
    venue: Record,
) -> Reconciled:
    """Compare the accounts of one drill.

    Whatever the venue executed in the drill each of them must have; each may have more, which
    the venue executed a moment before.
    """
    unknown = set(acknowledged) - journal.accepted - journal.refused
    lost = [f"{order}: acknowledged, not in the journal" for order in unknown]
    drilled = venue.executions | _of(venue, journal.accepted)
    lost += _executions("the journal", drilled, journal.executions, venue)
    duplicated = [f"{order}: accepted more than once by the venue" for order in venue.twice]
    duplicated += [
        f"execution {'/'.join(key)}: twice in the venue's record" for key in venue.repeated
    ]
    duplicated += _invented("the journal", journal.executions, venue)
    for copy in drop_copies:
        name = f"the drop copy of {copy.site}"
        lost += _executions(name, drilled, copy.executions, venue)
        duplicated += _invented(name, copy.executions, venue)
        duplicated += [
            f"execution {'/'.join(key)}: told twice, and otherwise, by {name}"
            for key in copy.contradicted
        ]
    positions: list[str] = []
    open_orders: list[str] = []
    for book in books:
        name = f"the books of {book.site}"
        lost += [
            f"{order}: acknowledged, not in {name}"
            for order in acknowledged
            if order not in book.states and order not in journal.refused
        ]
        lost += [
            f"{order}: accepted by the venue, not in {name}"
            for order in {one.order for one in venue.accepted} - book.states.keys()
        ]
        lost += _executions(name, venue.executions, book.fills, venue)
        duplicated += _invented(name, book.fills, venue)
        # By the fills of the same instant: what was executed since is no difference, and that
        # the fills are those of the venue is looked at above.
        positions += _differences(name, book.held, _sum(book.before, shares(book.fills.values())))
        open_here = {order for order, state in book.states.items() if state not in SETTLED}
        open_orders += [
            f"{order}: open in {name}, not at the venue" for order in open_here - venue.resting
        ]
        open_orders += [
            f"{order}: rests at the venue, not open in {name}"
            for order in venue.resting - open_here
        ]
    return Reconciled(
        orders_acknowledged=len(acknowledged),
        lost=_named(lost),
        duplicated=_named(duplicated),
        positions=_named(positions),
        open_orders=_named(open_orders),
    )


def told_by(journal: Journaled, copies: Collection[DropCopy], books: Collection[Books]) -> set[Key]:
    """Return every execution that somebody told of."""
    told = [journal.executions, *(c.executions for c in copies), *(b.fills for b in books)]
    return {key for each in told for key in each}


def gone(site: str, before: Held, now: Held, new: Collection[str]) -> tuple[list[str], list[str]]:
    """Return what is lost of what a site's books held as a drill began, and which positions.

    `now` has the same sums as they are now; `new` are the orders that came since.
    """
    name = f"the books of {site}"
    lost = [
        f"{symbol} {side}: {_sums(before.booked, (symbol, side))} in {name} before the drill, "
        f"{_sums(now.booked, (symbol, side))} of them now"
        for symbol, side in sorted(before.booked.keys() | now.booked.keys())
        if before.booked.get((symbol, side)) != now.booked.get((symbol, side))
    ]
    if (missing := before.orders + len(new) - now.orders) > 0:
        lost.append(f"{missing} orders from before the drill: not in {name} any more")
    filled: dict[str, int] = {}
    for (symbol, side), (_, qty, _) in before.booked.items():
        filled = _sum(filled, {symbol: qty if side == "buy" else -qty})
    return lost, _differences(f"{name} before the drill", before.positions, filled)


def _sums(booked: Booked, key: tuple[str, str]) -> str:
    count, qty, usd = booked.get(key, (0, 0, Decimal(0)))
    return f"{count} executions ({qty} shares, {usd} USD)"


def _of(venue: Record, orders: Collection[str]) -> dict[Key, Executed]:
    """Return the executions of a drill's own orders, those from just before it included."""
    return {key: one for key, one in venue.earlier.items() if one.order in orders}


def _invented(where: str, told: Mapping[Key, Executed], venue: Record) -> list[str]:
    return [
        f"execution {'/'.join(key)}: in {where}, not at the venue"
        for key in told.keys() - venue.executions.keys() - venue.earlier.keys()
    ]


def _executions(
    where: str, wanted: Mapping[Key, Executed], told: Mapping[Key, Executed], venue: Record
) -> list[str]:
    missing = [
        f"execution {'/'.join(key)} of {one.order}: not in {where}"
        for key, one in wanted.items()
        if key not in told
    ]
    other = [
        f"execution {'/'.join(key)}: {one} in {where}, {at_venue} at the venue"
        for key, one in told.items()
        if (at_venue := venue.executions.get(key) or venue.earlier.get(key)) and at_venue != one
    ]
    return [*missing, *other]


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in one.keys() | other.keys()}


def _differences(where: str, held: Mapping[str, int], filled: Mapping[str, int]) -> list[str]:
    return [
        f"{name}: {held.get(name, 0)} shares in {where}, {filled.get(name, 0)} by its fills"
        for name in held.keys() | filled.keys()
        if held.get(name, 0) != filled.get(name, 0)
    ]


def _named(lines: list[str]) -> tuple[str, ...]:
    found = sorted(set(lines))
    return tuple(found)
