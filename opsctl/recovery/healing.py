"""A handover request that nobody waits for any more is removed by whoever finds it."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.core import etcd
from apps.core.etcd import OutcomeUnknown
from apps.core.journal import Journal
from apps.core.sites import HANDOVER, Overview, overview

STALE_NS = 10_000_000_000
"""A request lives for 5 s: opsctl withdraws it then, unless it was killed."""
QUORUM_S = 5.0
"""How long the journal may take to answer before it counts as without quorum."""
ATTEMPTS = 10


async def heal(journal: Journal) -> str | None:
    """Remove a handover request that a killed opsctl left; return what was removed.

    None where there is none, or its opsctl may still be waiting for it. Raises
    `Unreachable` where the journal does not answer within 5 s.
    """
    for _ in range(ATTEMPTS):
        seen = await overview(journal, (), patience_s=QUORUM_S)
        if not stale(seen, journal.clock()):
            return None
        if await remove(journal, seen.handover_mod):
            return _removed(seen)
    return None


def stale(seen: Overview, now_ns: int) -> bool:
    """Return whether the request is of an earlier epoch, or older than any that is waited for.

    One from the future counts by its distance too: its writer's clock is off, and it would
    stand in everybody's way until the clocks meet.
    """
    asked = seen.handover
    if asked is None:
        return False
    over = seen.leader is not None and asked.epoch < seen.leader.epoch
    return over or abs(now_ns - asked.at_ns) > STALE_NS


async def remove(journal: Journal, mod: int) -> bool:
    """Delete the request that was last written at `mod`; False where it is not sure that it did."""
    key = journal.key(HANDOVER)
    try:
        answer = await journal.store.attempt([etcd.mod_is(key, mod)], [etcd.delete(key)], [])
    except OutcomeUnknown:
        return False
    return bool(answer.succeeded)


def _removed(seen: Overview) -> str:
    asked = seen.handover
    assert asked is not None  # noqa: S101 - `stale` has seen it
    at = datetime.fromtimestamp(asked.at_ns / 1e9, UTC)
    left = f"refused by its leader ({asked.refused})" if asked.refused else "left unanswered"
    return (
        f"removed a request of {at:%Y-%m-%dT%H:%M:%SZ} by {asked.by} to hand epoch {asked.epoch} "
        f"over to {asked.to}, {left}"
    )
