"""A handover request that nobody waits for any more is removed by whoever finds it."""

from __future__ import annotations

from collections.abc import Callable
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

Ended = Callable[[str], bool]
"""Says of a run whether it is over."""


def _unknown(_: str) -> bool:
    return False


async def heal(
    journal: Journal, *, ended: Ended = _unknown, patience_s: float | None = None
) -> str | None:
    """Remove a handover request that a killed opsctl left; return what was removed.

    None where there is none, or its opsctl may still be waiting for it; `ended` says of the
    run that asked whether it is known to be over. Raises `Unreachable` where the journal does
    not answer within the patience (5 s).
    """
    for _ in range(ATTEMPTS):
        seen = await overview(journal, (), patience_s=patience_s or QUORUM_S)
        if not _abandoned(seen, journal.clock(), ended):
            return None
        if await remove(journal, seen.handover_mod):
            return f"removed {_request(seen)}"
    return None


async def left(
    journal: Journal, *, ended: Ended = _unknown, patience_s: float | None = None
) -> str | None:
    """Return what `heal` would remove; None where that is nothing. Raises as it does."""
    seen = await overview(journal, (), patience_s=patience_s or QUORUM_S)
    return _request(seen) if _abandoned(seen, journal.clock(), ended) else None


def _abandoned(seen: Overview, now_ns: int, ended: Ended) -> bool:
    asked = seen.handover
    return asked is not None and (ended(asked.id) or stale(seen, now_ns))


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


def _request(seen: Overview) -> str:
    asked = seen.handover
    assert asked is not None  # noqa: S101 - `_abandoned` has seen it
    at = datetime.fromtimestamp(asked.at_ns / 1e9, UTC)
    left = f"refused by its leader ({asked.refused})" if asked.refused else "left unanswered"
    return (
        f"a request of {at:%Y-%m-%dT%H:%M:%SZ} by {asked.by} to hand epoch {asked.epoch} "
        f"over to {asked.to}, {left}"
    )
