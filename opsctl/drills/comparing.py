"""Reading every account of a drill's orders and comparing them, until no difference lasts."""

from __future__ import annotations

import time

import psycopg

from apps.core.etcd import EtcdError
from apps.core.journal import Gap
from opsctl.drills.accounts import Accounts, Since
from opsctl.drills.reconciliation import Reconciled, journaled, lasting, reconcile
from opsctl.drills.traffic import Traffic

SETTLE_S = 30.0
"""How long the accounts may take to agree."""
AGAIN_S = 0.5


def compared(
    accounts: Accounts, client: Traffic, since: Since
) -> tuple[Reconciled | None, tuple[str, ...]]:
    """Compare the accounts of what was journaled `since`, for as long as a difference lasts.

    Returns what every comparison named, None where there was none, and which account could
    not be read when time was over.
    """
    deadline = time.monotonic() + SETTLE_S
    found: Reconciled | None = None
    unread: tuple[str, ...] = ()
    while True:
        try:
            now = reconcile(
                acknowledged=client.orders(),
                journal=journaled(accounts.records(since.tail)),
                books=accounts.books(),
                drop_copies=accounts.drop_copies(since),
                venue=accounts.venue(),  # last: it knows of everything that the others know of
            )
            found = now if found is None else lasting(found, now)
            unread = ()
        except (EtcdError, Gap, psycopg.Error, OSError) as fault:
            unread = (f"an account could not be read: {fault}",)
        if (found is not None and found.clean) or time.monotonic() > deadline:
            return found, unread
        time.sleep(AGAIN_S)
