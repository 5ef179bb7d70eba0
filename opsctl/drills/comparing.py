"""Reading every account of a drill's orders and comparing them, until one instant agrees."""

from __future__ import annotations

import time

import psycopg

from apps.core.etcd import EtcdError
from apps.core.journal import Gap
from opsctl.drills.accounts import Accounts
from opsctl.drills.reconciliation import Reconciled, journaled, reconcile
from opsctl.drills.traffic import Traffic

SETTLE_S = 30.0
"""How long the accounts may take to agree."""
AGAIN_S = 0.5


def compared(
    accounts: Accounts, client: Traffic, tail: int
) -> tuple[Reconciled | None, tuple[str, ...]]:
    """Compare the accounts of what was journaled after `tail`, for as long as they differ.

    Returns the last comparison, None where there was none, and which account could not be
    read when time was over.
    """
    deadline = time.monotonic() + SETTLE_S
    found: Reconciled | None = None
    unread: tuple[str, ...] = ()
    while True:
        try:
            found = reconcile(
                acknowledged=client.orders(),
                journal=journaled(accounts.records(tail)),
                books=accounts.books(),
                drop_copies=accounts.drop_copies(),
                venue=accounts.venue(),
            )
            unread = ()
        except (EtcdError, Gap, psycopg.Error, OSError) as fault:
            unread = (f"an account could not be read: {fault}",)
        if (found is not None and found.clean) or time.monotonic() > deadline:
            return found, unread
        time.sleep(AGAIN_S)  # the replay goes on trading: look until one instant agrees
