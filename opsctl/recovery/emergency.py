"""The emergency: the leader is not asked, the journal is told who leads."""

from __future__ import annotations

import asyncio
import time

import msgspec

from apps.core import etcd
from apps.core.etcd import OutcomeUnknown, Unreachable
from apps.core.journal import Journal, Leadership
from apps.core.sites import HANDOVER, overview
from opsctl.recovery.healing import QUORUM_S
from opsctl.recovery.leading import PATIENCE_S, Moved, epoch_of, leads, looks

ATTEMPTS = 20
BACKOFF_S = 0.01


async def take(journal: Journal, to: str, after: int) -> Moved:
    """Name the successor the leader of the next epoch, and wait for its heartbeat.

    `after` is the epoch that led when the operator decided. Compare-and-swap, repeated
    while the leader key moves under it; a pending handover goes with it. A site that took
    a later epoch by itself meanwhile is what was wanted.
    """
    for _ in range(ATTEMPTS):
        try:
            seen = await overview(journal, (to,), patience_s=QUORUM_S)
        except Unreachable as fault:
            return Moved("failed", None, detail=f"the journal does not answer: {fault}")
        led, successor = seen.leader, seen.presences.get(to)
        if successor is None:
            return Moved("failed", epoch_of(seen), detail=f"the execution app of {to} is gone")
        if led is not None and led.owner == successor.owner and led.epoch > after:
            return await _heard(journal, to, after, time.monotonic())
        mine = Leadership(
            epoch=led.epoch + 1 if led else 1,
            owner=successor.owner,
            site=to,
            at_ns=journal.clock(),
            release=successor.release,
            settings=successor.settings,
        )
        key = journal.key("leader")
        try:
            answer = await journal.store.attempt(
                [etcd.mod_is(key, seen.leader_mod)],
                [etcd.put(key, msgspec.json.encode(mine)), etcd.delete(journal.key(HANDOVER))],
                [],
            )
        except OutcomeUnknown:
            # What became of it shows when the key is read again.
            await asyncio.sleep(BACKOFF_S)
            continue
        if answer.succeeded:
            return await _heard(journal, to, after, time.monotonic())
    return Moved("failed", None, detail=f"the leader key moved {ATTEMPTS} times under the command")


async def _heard(journal: Journal, to: str, after: int, since: float) -> Moved:
    """Return when a heartbeat of the site's epoch was seen."""
    epoch: int | None = None
    try:
        async for seen in looks(journal, since + PATIENCE_S):
            epoch = epoch_of(seen)
            if leads(seen, to, after):
                return Moved("done", epoch, (time.monotonic() - since) * 1_000)
    except Unreachable as fault:
        return Moved("failed", epoch, detail=f"the journal does not answer: {fault}")
    return Moved(
        "failed", epoch, detail=f"{to} was named leader and sent no heartbeat in {PATIENCE_S:g} s"
    )
