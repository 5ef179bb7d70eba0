"""Waiting for a site to lead: the leader key names it, and a heartbeat proves it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from apps.core.etcd import Unreachable
from apps.core.journal import Journal
from apps.core.sites import HANDOVER, Overview, overview
from opsctl.recovery.outcome import Verdict

AGAIN_S = 0.25
"""How soon leadership is looked at again where no change of it was heard of."""
LOST_S = 0.01
"""The same where the store's member does not say what changes."""
PATIENCE_S = 5.0
"""How long a handover may take before it is given up."""


@dataclass(frozen=True)
class Moved:
    """How a handover ended: by whose heartbeat, or why it did not."""

    verdict: Verdict
    epoch: int | None
    handover_ms: float | None = None
    detail: str = ""


async def looks(journal: Journal, until: float) -> AsyncIterator[Overview]:
    """Yield the state of leadership as it changes, until the monotonic clock says `until`.

    It listens rather than asks again and again: on one machine that would take the time
    of the very processes that are waited for.
    """
    while (left_s := until - time.monotonic()) > 0:
        seen = await overview(journal, (), patience_s=left_s)
        yield seen
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(AGAIN_S, max(0.0, until - time.monotonic()))):
                await _changed(journal, seen.revision)


async def _changed(journal: Journal, revision: int) -> None:
    """Return when who leads, a heartbeat or a request is written after a revision."""
    first, last = journal.key(HANDOVER), journal.key("leader")
    try:
        async with contextlib.aclosing(
            journal.store.watch(first, f"{last}\0", revision + 1)
        ) as changes:
            async for _ in changes:
                return
    except Unreachable:
        await asyncio.sleep(LOST_S)


def named(seen: Overview, to: str, after: int) -> bool:
    """Return whether the leader key names the site, in an epoch later than `after`."""
    return seen.leader is not None and seen.leader.site == to and seen.leader.epoch > after


def leads(seen: Overview, to: str, after: int) -> bool:
    """Return whether the site is named and a heartbeat of its epoch was written."""
    if not named(seen, to, after) or seen.leader is None or seen.beat is None:
        return False
    return seen.beat.epoch == seen.leader.epoch


def epoch_of(seen: Overview | None) -> int | None:
    """Return the epoch that leads; None where nobody does."""
    return seen.leader.epoch if seen and seen.leader else None
