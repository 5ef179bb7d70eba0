"""Waiting for a site to lead: the leader key names it, and a heartbeat proves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from apps.core.journal import Journal
from apps.core.sites import Overview, overview
from opsctl.recovery.outcome import Verdict

POLL_S = 0.002
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
    """Yield the state of leadership every 2 ms until the monotonic clock says `until`."""
    while (left_s := until - time.monotonic()) > 0:
        yield await overview(journal, (), patience_s=left_s)
        await asyncio.sleep(POLL_S)


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
