"""Whose journal it is: the identity of the environment that used it first.

The key `identity` holds the environment's UUID, written once, by whoever uses the journal
first. A name is no identity: two deployments can claim the same one, by a mistake in an
address or by a state folder that was lost, and both would send orders. So whoever leads,
follows or books asks first, linearizably; and every election is guarded by the key as well.
"""

from __future__ import annotations

import asyncio
import contextlib

from apps.core import etcd
from apps.core.etcd import NoSpace, OutcomeUnknown
from apps.core.journal import IDENTITY, Journal


class Foreign(Exception):
    """The journal belongs to another environment: nothing may be written to it."""

    def __init__(self, journal: str, mine: str) -> None:
        """Name both."""
        super().__init__(f"the journal belongs to environment {journal}; this one is {mine}")
        self.journal = journal
        self.mine = mine


async def owner(journal: Journal, *, patience_s: float | None = None) -> str:
    """Return whose journal it is; empty where nobody has used it yet.

    Raises `Unreachable` beyond the patience.
    """
    key = journal.key(IDENTITY)
    answer = await journal.store.read(etcd.get(key), patience_s=patience_s)
    return etcd.pair(answer.responses[0].response_range, key).value.decode()


async def claim(journal: Journal) -> None:
    """Make sure that the journal is that of the journal's own `identity`, for ever.

    One that belongs to nobody (it is new, or an older release's) belongs to us from then on.
    Waits until the journal answers. A journal without an `identity` asks nothing: what an
    older release was deployed with names none.

    Raises:
        Foreign: it belongs to another environment.
    """
    mine = journal.identity
    while mine:
        found = await owner(journal)
        if found == mine:
            return
        if found:
            raise Foreign(found, mine)
        key = journal.key(IDENTITY)
        with contextlib.suppress(OutcomeUnknown, NoSpace):
            await journal.store.attempt([etcd.mod_is(key, 0)], [etcd.put(key, mine.encode())], [])
            continue
        await asyncio.sleep(etcd.LAST_BACKOFF_S)
