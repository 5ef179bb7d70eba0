"""The life of one order, from the recorded run alone: who did what with it, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from apps.core.records import (
    CancelsRequested,
    DecisionTaken,
    DoubtOpened,
    DoubtSettled,
    EpochTaken,
    OrdersSent,
    OrdersWithheld,
    ReportSeen,
)
from opsctl.drills.recording import reading
from opsctl.drills.recording.history import History
from opsctl.drills.recording.reading import Journaled, Naming
from opsctl.drills.recording.story import Life
from opsctl.drills.task import Acknowledged
from opsctl.errors import UsageError

Histories = Mapping[str, History]


def life(folder: Path, order: str) -> Life:
    """Return the life of an order; raises `UsageError` where no account names it."""
    found = lives(folder, [order])
    if order not in found:
        raise UsageError(
            f"no account of {folder.name} names an order {order}",
            hint=f"opsctl drill show {folder.name} names the orders around the fault",
        )
    return found[order]


def lives(folder: Path, orders: Iterable[str]) -> dict[str, Life]:
    """Return the lives of several orders, by one pass over each file."""
    window = reading.window(folder)
    if window is None:
        return {}
    told = {order: History(order, window) for order in orders}
    if not told:
        return {}
    naming = reading.naming(list(told))
    run = reading.facts(folder).id
    _client(folder, told, naming)
    sites = {led.epoch: led.site for led in (window.former, window.successor) if led}
    for entry in reading.journal(folder, reading.naming(list(told), also=b'"owner"')):
        _journal(entry, told, sites)
    for row in reading.venue(folder, naming):
        for name in dict.fromkeys((row.cl_ord_id, row.orig_cl_ord_id)):
            if name in told:
                told[name].venue(row)
    for site, messages in reading.drop_copies(folder, naming):
        for one in messages:
            if one.order in told:
                told[one.order].drop_copy(site, one)
    _books(folder, told, naming)
    return {order: one.life(run) for order, one in told.items() if one.moments}


def _client(folder: Path, told: Histories, naming: Naming) -> None:
    for line in reading.client(folder, naming):
        if isinstance(line, Acknowledged):
            if line.order in told:
                told[line.order].acknowledged(line)
            continue
        for order in line.orders:
            if order in told:
                told[order].submitted(line.at_ns)


def _books(folder: Path, told: Histories, naming: Naming) -> None:
    for site, rows in reading.books(folder, naming):
        for row in rows:
            name = row.id if row.table == "orders" else row.order_id
            if name in told:
                told[name].booked(site, row)


def _journal(entry: Journaled, told: Histories, sites: dict[int, str]) -> None:
    """Hand a record to the orders that it is about."""
    record = entry.record
    if isinstance(record, EpochTaken):
        sites[record.epoch] = record.site
        for one in told.values():
            one.epoch(entry, record)
        return
    site = sites.get(entry.epoch, "")
    for order, one in told.items():
        match record:
            case DecisionTaken(decision=taken) if any(i.id == order for i in taken.intents):
                one.decided(entry, site, record, taken)
            case OrdersSent(at_ns=sent) if order in sent:
                one.sent(entry, site, record)
            case ReportSeen() if order == record.order:
                one.reported(entry, site, record)
            case DoubtSettled() if order == record.order:
                one.stepped(entry, site, record)
            case _:
                _noted(entry, one, order, site)


def _noted(entry: Journaled, one: History, order: str, site: str) -> None:
    """Hand on a record that names several orders, where this is one of them."""
    match entry.record:
        case DoubtOpened(orders=orders, cause=cause, at_ns=at_ns) if order in orders:
            one.doubted(at_ns, cause)
            one.say(at_ns, f"in doubt: {cause}", "journal", entry, site)
        case OrdersWithheld(reasons=reasons, at_ns=at_ns) if order in reasons:
            one.say(at_ns, f"not sent: {reasons[order]}", "journal", entry, site)
        case CancelsRequested(cancels=cancels, cause=cause, at_ns=at_ns) if order in cancels:
            one.say(at_ns, f"to be cancelled ({cause})", "journal", entry, site)
