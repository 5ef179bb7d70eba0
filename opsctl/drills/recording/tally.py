"""What the accounts of a recorded run come to, in one pass over each file."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from apps.core.records import EpochTaken
from opsctl.drills.outage import outage
from opsctl.drills.record import Accepted
from opsctl.drills.recording import files, narrow, reading
from opsctl.drills.recording.files import Window
from opsctl.drills.task import Acknowledged


@dataclass
class Account:
    """What one account has of the drill's orders."""

    name: str
    orders: int = 0
    executions: int = 0
    bought: int = 0
    sold: int = 0
    shares: Counter[str] = field(default_factory=Counter)
    """By the price that was paid, as it was written: one sum for each is made at the end."""

    def add(self, side: str, qty: int, price: str) -> None:
        """Count an execution."""
        self.executions += 1
        self.shares[price] += qty
        if side == "buy":
            self.bought += qty
        else:
            self.sold += qty

    @property
    def value_usd(self) -> Decimal:
        """What all executions come to."""
        return sum((Decimal(price) * qty for price, qty in self.shares.items()), Decimal(0))


@dataclass
class Phase:
    """The orders that were decided in a part of the run."""

    name: str
    decided: int = 0
    acknowledged: int = 0
    accepted: int = 0
    executed: int = 0
    doubted: int = 0
    waits_ms: list[float] = field(default_factory=list)
    """From the decision to the acknowledgement."""


@dataclass
class Tally:
    """The drill's orders, as every account has them."""

    window: Window
    accounts: list[Account]
    decided_ns: dict[str, int]
    acknowledged_ns: dict[str, int]
    accepted: list[Accepted]
    executed: Counter[str]
    doubted: set[str]
    """Orders that were in doubt, by a record or because an epoch began while they waited."""
    steps: Counter[str]
    """How doubts were settled where the venue did not know the order."""
    withheld: int
    epochs: list[EpochTaken]
    outage: tuple[int, int] | None
    """From when to when the recovery time counts; None where it could not be measured."""

    def phases(self) -> list[Phase]:
        """Return the orders before the fault, during what it cost, and after."""
        fault_ns = self.window.fault_ns
        resumed_ns = self.outage[1] if self.outage else self.window.ended_ns
        if not fault_ns:
            phases = [Phase("all")]
        else:
            phases = [Phase("before the fault"), Phase("until orders were accepted again")]
            phases.append(Phase("after"))
        accepted = {one.order for one in self.accepted}
        for order, at_ns in self.decided_ns.items():
            phase = phases[0]
            if fault_ns:
                phase = phases[(at_ns >= fault_ns) + (at_ns >= max(resumed_ns, fault_ns))]
            phase.decided += 1
            phase.accepted += order in accepted
            phase.executed += order in self.executed
            phase.doubted += order in self.doubted
            told_ns = self.acknowledged_ns.get(order)
            if told_ns is not None:
                phase.acknowledged += 1
                phase.waits_ms.append((told_ns - at_ns) / 1e6)
        return phases

    def telling(self, most: int) -> list[str]:
        """Return the orders around the fault that tell most, in the order of their decision.

        Those that were in doubt, the last that were decided before the fault and the first
        after it.
        """
        fault_ns = self.window.fault_ns
        if not fault_ns:
            return []
        ordered = sorted(self.decided_ns.items(), key=lambda one: (one[1], one[0]))
        doubted = [order for order, _ in ordered if order in self.doubted]
        before = [order for order, at_ns in ordered if at_ns < fault_ns]
        after = [order for order, at_ns in ordered if at_ns >= fault_ns]
        chosen = dict.fromkeys([*doubted[: most // 2], *before[-most // 4 :], *after[:most]])
        wanted = set(list(chosen)[:most])
        return [order for order, _ in ordered if order in wanted]


def tally(folder: Path, window: Window) -> Tally:
    """Return what the accounts of a recorded run come to."""
    # Millions of small values without cycles: the collector would look at them again and again.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _tally(folder, window)
    finally:
        if collecting:
            gc.enable()


def _tally(folder: Path, window: Window) -> Tally:
    decided_ns: dict[str, int] = {}
    acknowledged_ns: dict[str, int] = {}
    for line in reading.client(folder):
        if isinstance(line, Acknowledged):
            acknowledged_ns[line.order] = line.at_ns
        else:
            decided_ns |= dict.fromkeys(line.orders, line.at_ns)
    client = Account("the client was told", orders=len(acknowledged_ns))
    journal, told = _journal(folder, window.client)
    venue = Account("the venue's own record")
    accepted: list[Accepted] = []
    executed: Counter[str] = Counter()
    for row in reading.lines(folder / files.VENUE, narrow.Venue):
        if row.maker or not row.cl_ord_id.startswith(window.client):
            continue
        if row.kind == "accept":
            accepted.append(Accepted(row.at_ns, row.cl_ord_id, row.session))
        elif row.kind == "execution":
            executed[row.cl_ord_id] += 1
            venue.add(row.side, row.qty, row.price)
    venue.orders = len({one.order for one in accepted})
    return Tally(
        window=window,
        accounts=[client, journal, venue, *_copies(folder, window), *_books(folder, window)],
        decided_ns=decided_ns,
        acknowledged_ns=acknowledged_ns,
        accepted=accepted,
        executed=executed,
        doubted=told.doubted,
        steps=told.steps,
        withheld=told.withheld,
        epochs=told.epochs,
        outage=outage(accepted, window),
    )


@dataclass
class _Told:
    """What the journal tells beside orders and executions."""

    doubted: set[str] = field(default_factory=set)
    steps: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    epochs: list[EpochTaken] = field(default_factory=list)


def _journal(folder: Path, client: str) -> tuple[Account, _Told]:
    account, told = Account("the journal"), _Told()
    waiting: set[str] = set()
    booked: set[tuple[str, str, str]] = set()
    for line in reading.lines(folder / files.JOURNAL, narrow.Journaled):
        record = line.record
        match record:  # the commonest first
            case narrow.Report():
                if record.order.startswith(client):
                    waiting.discard(record.order)
                    _book(record, account, booked)
            case narrow.Decision():
                ours = [v for v in record.verdicts if v.accepted and v.intent.startswith(client)]
                account.orders += len(ours)
                waiting.update(v.intent for v in ours)
            case EpochTaken():
                told.epochs.append(record)
                told.doubted |= waiting
            case narrow.Doubted(orders=orders):
                told.doubted.update(order for order in orders if order.startswith(client))
            case narrow.Settled(order=order, step=step) if order.startswith(client):
                told.steps[step] += 1
            case narrow.Withheld(reasons=reasons):
                told.withheld += sum(order.startswith(client) for order in reasons)
    return account, told


def _book(record: narrow.Report, account: Account, booked: set[tuple[str, str, str]]) -> None:
    """Count the execution that a report is about, the first time that it is told of."""
    if record.exec_type == "F" and record.side:
        key = (record.day, record.exec_id, record.side)
        if key not in booked:
            booked.add(key)
            account.add(record.side, record.last_qty, record.last_px)


def _copies(folder: Path, window: Window) -> Iterable[Account]:
    for site, path in files.of_sites(folder, files.DROP_COPY).items():
        account, orders = Account(f"the drop copy of {site}"), set[str]()
        seen = set[tuple[str, str, str]]()
        for one in reading.lines(path, narrow.Told):
            key = (one.day, one.exec_id, one.side)
            if one.order.startswith(window.client) and key not in seen:
                seen.add(key)
                account.add(one.side, one.qty, one.price)
                orders.add(one.order)
        account.orders = len(orders)
        yield account


def _books(folder: Path, window: Window) -> Iterable[Account]:
    for site, path in files.of_sites(folder, files.BOOKS).items():
        account = Account(f"the books of {site}")
        for row in reading.lines(path, narrow.Book):
            if row.table == "orders" and row.id.startswith(window.client):
                account.orders += 1
            elif row.table == "fills" and row.order_id.startswith(window.client):
                account.add(row.side, row.qty, row.price)
        yield account
