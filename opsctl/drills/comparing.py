"""Reading every account of a drill's orders and comparing them, until no difference lasts."""

from __future__ import annotations

import time

import psycopg

from apps.core.etcd import EtcdError
from apps.core.journal import Gap
from opsctl.drills.accounts import Accounts, Since
from opsctl.drills.reconciliation import (
    Journaled,
    Reconciled,
    gone,
    journaled,
    lasting,
    reconcile,
    told_by,
)
from opsctl.drills.traffic import Traffic
from opsctl.drills.venue_window import VenueWindow

SETTLE_S = 30.0
"""How long the accounts may take to agree."""
AGAIN_S = 0.5


def compared(
    accounts: Accounts, client: Traffic, since: Since
) -> tuple[Reconciled | None, tuple[str, ...]]:
    """Compare the accounts of what happened `since`, for as long as a difference lasts.

    Returns what every comparison named, None where there was none, and which account could
    not be read when time was over.
    """
    deadline = time.monotonic() + SETTLE_S
    comparing = Comparing(accounts, client, since)
    found: Reconciled | None = None
    unread: tuple[str, ...] = ()
    while True:
        try:
            now = comparing.again()
            found = now if found is None else lasting(found, now)
            unread = ()
            if found.clean or time.monotonic() > deadline:
                return comparing.with_older(found), unread
        except (EtcdError, Gap, psycopg.Error, OSError) as fault:
            unread = (f"an account could not be read: {fault}",)
        if time.monotonic() > deadline:
            return found, unread
        time.sleep(AGAIN_S)


class Comparing:
    """Compares again and again; of what only grows, it reads what is new."""

    def __init__(self, accounts: Accounts, client: Traffic, since: Since) -> None:
        """Compare what happened `since`."""
        self._accounts, self._client, self._since = accounts, client, since
        self._journal, self._tail = Journaled(), since.tail
        self._venue: VenueWindow | None = None

    def again(self) -> Reconciled:
        """Read every account once; raises `EtcdError`, `Gap`, `psycopg.Error`, `OSError`."""
        accounts, since = self._accounts, self._since
        acknowledged = self._client.orders()
        journal = self._read_journal()
        books = accounts.books(since)
        copies = accounts.drop_copies(since)
        # Last: it knows of everything that the others know of.
        window = self._venue = self._venue or accounts.venue(since)
        venue = window.read()
        window.look_up(
            told_by(journal, copies, books) - venue.executions.keys() - venue.earlier.keys(),
            {one.order for one in venue.accepted} - journal.accepted,
        )
        return reconcile(
            acknowledged=acknowledged,
            journal=journal,
            books=books,
            drop_copies=copies,
            venue=venue,
        )

    def with_older(self, found: Reconciled) -> Reconciled:
        """Return what was found, with what is gone from the books of what is older.

        It does not change any more, so that it is looked at once; raises `EtcdError`, `Gap`,
        `psycopg.Error`.
        """
        books = self._accounts.older(self._since)
        journal = self._read_journal()  # after: it knows of every order that the books know of
        decided = journal.accepted | journal.refused
        for site, (now, changed) in books.items():
            lost, positions = gone(site, self._since.held[site], now, changed & decided)
            found = found.model_copy(
                update={
                    "lost": (*found.lost, *lost),
                    "positions": (*found.positions, *positions),
                }
            )
        return found

    def _read_journal(self) -> Journaled:
        records = self._accounts.records(self._tail)
        self._tail += len(records)
        return journaled(records, self._journal)
