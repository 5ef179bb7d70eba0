"""Letting old batches of the journal go: a full journal stops trading.

The leader stores a snapshot of the open state; every site archives what the snapshot
covers into files of its own; and the leader lets go of what all sites have. A site that
is away for long is waited for only while there is room.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from apps.core import archive, etcd
from apps.core.etcd import EtcdError, NoSpace, OutcomeUnknown, Unreachable
from apps.core.journal import Journal
from apps.core.leader import Leader
from apps.core.records import decode_batch

log = structlog.get_logger()

FILL_RATIO = 2
"""A database file this many times larger than what is in use is worth defragmenting."""
DEFRAGMENT_FROM_BYTES = 32 * 1024 * 1024
MAX_SNAPSHOT_BYTES = 1_400_000
"""What one value of the store can hold (1.5 MB) with room for the rest of the request."""
WAIT_UP_TO_BYTES = 1024**3
"""While the database is smaller, batches that another site has not archived stay."""


async def retire(leader: Leader, index: int, state: bytes, others: int | None = None) -> bool:
    """Store a snapshot of the state after `index`, archive what it covers, and let it go.

    `others` is the last record that every other site has archived; None without others.
    Runs beside appends. Returns False where the journal did not answer or has no archive:
    nothing is lost then, and a later call does it. Raises `Deposed`.
    """
    journal = leader.journal
    folder = journal.archived
    if folder is None:
        return False
    if len(state) > MAX_SNAPSHOT_BYTES:
        log.error("snapshot too large; old batches stay", bytes=len(state))
        return False
    try:
        name = journal.key(f"snapshot/{index:020d}")
        if not (await leader.guarded([etcd.put(name, state)])).succeeded:
            return False
        await archive_up_to(journal, folder, index)
        await _let_go(leader, await _covered(journal, index, others))
    except (OutcomeUnknown, Unreachable, NoSpace) as fault:
        log.warning("old batches stay for now", reason=str(fault))
        return False
    return True


async def archive_up_to(journal: Journal, folder: Path, index: int) -> int:
    """Archive the batches up to `index` that are not yet; return the last record archived.

    Raises `Unreachable` where the journal does not answer.
    """
    after = await archived(folder)
    while True:
        found = await journal.store.scan(
            journal.batch_key(after + 1), journal.batch_key(index + 1), limit=5_000, patience_s=10.0
        )
        if not found:
            return after
        first, last = decode_batch(found[0].value), decode_batch(found[-1].value)
        await asyncio.to_thread(
            archive.write, folder, first.first, last.last, [pair.value for pair in found]
        )
        after = last.last


async def archived(folder: Path) -> int:
    """Return the last record that a site has archived."""
    have = await asyncio.to_thread(archive.files, folder)
    return archive.span(have[-1])[1] if have else 0


async def make_room(leader: Leader, others: int | None = None) -> bool:
    """Let a full store take writes again, without writing to it; return whether it may.

    It would refuse a snapshot: so every batch goes to the archive, from where a replay reads
    what follows the last snapshot, and what superseded values took is given back. `others` as
    in `retire`. Raises `Deposed`.
    """
    journal = leader.journal
    try:
        if journal.archived is not None:
            index = await archive_up_to(journal, journal.archived, leader.tail)
            kept = await journal.snapshot()
            snapshot = kept.index if kept is not None else 0
            await _drop(leader, await _covered(journal, index, others), snapshot)
        answer = await journal.store.read(etcd.get(journal.key("tail")), patience_s=1.0)
        await journal.store.compact(int(answer.header.revision))
        await journal.store.defragment()
        await journal.store.disarm()
        size, used = await journal.store.sizes()
    except EtcdError as fault:
        log.error("the journal is full, and no room could be made", reason=str(fault))
        return False
    log.warning("made room in a full journal", database_bytes=size, used_bytes=used)
    return True


async def forget(journal: Journal) -> None:
    """Let the store forget what keys held before; no key is removed by it."""
    try:
        answer = await journal.store.read(etcd.get(journal.key("tail")), patience_s=1.0)
        await journal.store.compact(int(answer.header.revision))
    except (OutcomeUnknown, Unreachable, NoSpace) as fault:
        log.warning("superseded values stay for now", reason=str(fault))


async def _covered(journal: Journal, index: int, others: int | None) -> int:
    if others is None or others >= index:
        return index
    size, _ = await journal.store.sizes()
    if size < WAIT_UP_TO_BYTES:
        return others
    log.error("another site has not archived what goes now", lacks_from=others + 1, up_to=index)
    return index


async def _let_go(leader: Leader, index: int) -> None:
    journal = leader.journal
    revision = await _drop(leader, index, index)
    if revision is None:
        return
    await journal.store.compact(revision)
    size, used = await journal.store.sizes()
    if size >= DEFRAGMENT_FROM_BYTES and size >= FILL_RATIO * used:
        await journal.store.defragment()
    log.info("old batches archived", up_to=index, database_bytes=size, used_bytes=used)


async def _drop(leader: Leader, index: int, snapshot: int) -> int | None:
    """Delete the batches up to `index` and older snapshots; return the store's revision."""
    journal = leader.journal
    answer = await leader.guarded(
        [
            etcd.delete(journal.batch_key(0), journal.batch_key(index + 1)),
            etcd.delete(journal.key("snapshot/"), journal.key(f"snapshot/{snapshot:020d}")),
        ]
    )
    return int(answer.header.revision) if answer.succeeded else None
