"""The journal as a follower sees it: one ordered stream of everything that its keys become.

A watch of the whole environment, so that batches, heartbeats and leadership arrive in
the store's own order and nothing is asked for. When the watch breaks, the stream reads
where things stand and goes on from there, at another member.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

import msgspec

from apps.core import etcd
from apps.core.etcd import Unreachable
from apps.core.journal import UPDATE, Beat, Journal, KillView, Leadership, kill_view
from apps.core.records import Batch, decode_batch
from apps.core.terms import Update, decode


class BatchSeen(msgspec.Struct, frozen=True):
    """A batch was appended; `mod` is the revision, None where it was read later."""

    batch: Batch
    mod: int | None


class BeatSeen(msgspec.Struct, frozen=True):
    """The leader wrote its heartbeat."""

    beat: Beat
    mod: int


class LeaderSeen(msgspec.Struct, frozen=True):
    """The leader key was written; `leader` None where nobody ever led.

    `in_order`: every batch that was appended before has been yielded before.
    """

    leader: Leadership | None
    mod: int
    in_order: bool = False


class KillSwitched(msgspec.Struct, frozen=True):
    """The kill switch stands so."""

    view: KillView


class UpdateSeen(msgspec.Struct, frozen=True):
    """An update is recorded, or none is."""

    update: Update | None


class SnapshotSeen(msgspec.Struct, frozen=True):
    """The leader stored a snapshot of its state after this record."""

    index: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the journal stood when the stream (re)started: revisions of the leader's keys."""

    tail_mod: int
    beat_mod: int


Seen = BatchSeen | BeatSeen | LeaderSeen | KillSwitched | UpdateSeen | SnapshotSeen | Standing


async def stream(journal: Journal, after: Callable[[], int]) -> AsyncGenerator[list[Seen], None]:
    """Yield what happens in the journal, for ever; `after` tells the last record at hand.

    Raises `apps.core.journal.Gap` where records after it are lost to this site.
    """
    while True:
        with contextlib.suppress(Unreachable):
            found, tail, revision = await _standing(journal)
            yield found
            while after() < tail:
                batches = await journal.read(after(), tail)
                yield [BatchSeen(batch, None) for batch in batches if batch.first > after()]
            async for changes in journal.store.watch(
                journal.prefix, journal.prefix[:-1] + "0", revision + 1
            ):
                if seen := [one for change in changes if (one := _seen(journal, change))]:
                    yield seen
        await asyncio.sleep(etcd.FIRST_BACKOFF_S)


async def _standing(journal: Journal) -> tuple[list[Seen], int, int]:
    names = [journal.key(name) for name in ("leader", "heartbeat", "tail", "kill", UPDATE)]
    answer = await journal.store.read(*(etcd.get(name) for name in names))
    leader, beat, tail, kill, update = (
        etcd.pair(part.response_range, name)
        for part, name in zip(answer.responses, names, strict=True)
    )
    revision = int(answer.header.revision)
    found: list[Seen] = [
        Standing(tail_mod=tail.mod, beat_mod=beat.mod),
        UpdateSeen(decode(update.value)),
        _leader(leader.value, leader.mod),
        KillSwitched(kill_view(kill, revision)),
    ]
    return found, int(tail.value or b"0"), revision


def _seen(journal: Journal, change: etcd.Change) -> Seen | None:
    name, value = change.key.removeprefix(journal.prefix), change.value
    match name.partition("/")[0]:
        case "batch" if value is not None:
            return BatchSeen(decode_batch(value), change.revision)
        case "heartbeat" if value is not None:
            return BeatSeen(msgspec.json.decode(value, type=Beat), change.revision)
        case "leader":
            mod = change.revision if value is not None else 0
            return msgspec.structs.replace(_leader(value or b"", mod), in_order=True)
        case "update":
            return UpdateSeen(decode(value or b""))
        case "snapshot" if value is not None:
            return SnapshotSeen(int(name.partition("/")[2]))
        case "kill":
            mod = change.revision if value is not None else 0
            found = etcd.Pair(change.key, value or b"", mod)
            return KillSwitched(kill_view(found, change.revision))
        case _:
            return None


def _leader(value: bytes, mod: int) -> LeaderSeen:
    return LeaderSeen(msgspec.json.decode(value, type=Leadership) if mod else None, mod)
