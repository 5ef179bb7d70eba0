"""Becoming the leader: a challenge that a live leader cannot lose, and being named one.

Both end in one linearizable transaction that also returns every record up to the
election's own revision, so that a successor has nothing left to ask before it acts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from apps.core import clock, etcd
from apps.core.etcd import NoSpace, OutcomeUnknown
from apps.core.journal import READ_BATCHES, Journal, Leadership, kill_view
from apps.core.leader import Leader
from apps.core.records import Batch, decode_batch
from apps.core.terms import UNTOLD, Terms


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a follower has seen of the leader: the revisions that last wrote its keys."""

    leader: Leadership | None
    leader_mod: int
    beat_mod: int
    tail_mod: int
    index: int
    """The last record at hand."""


class Won(msgspec.Struct, frozen=True, kw_only=True):
    """Leadership, and the batches that were appended after the last record at hand."""

    leader: Leader
    batches: tuple[Batch, ...]


async def standing(journal: Journal, *, patience_s: float) -> tuple[int, int, int]:
    """Return the revisions that last wrote the leader's keys: leader, heartbeat, tail.

    Read linearizably. Raises `Unreachable` beyond the patience.
    """
    names = [journal.key(name) for name in ("leader", "heartbeat", "tail")]
    answer = await journal.store.read(*map(etcd.get, names), patience_s=patience_s)
    leader, beat, tail = (
        etcd.pair(part.response_range, name).mod
        for part, name in zip(answer.responses, names, strict=True)
    )
    return leader, beat, tail


async def challenge(
    journal: Journal, known: Known, *, owner: str, site: str, terms: Terms = UNTOLD
) -> Won | None:
    """Take the next epoch, if the leader has written nothing since; None where it has.

    Raises `OutcomeUnknown` (or `NoSpace`) where the journal does not answer; `named` then
    tells whether the challenge was won all the same.
    """
    mine = Leadership(
        epoch=known.leader.epoch + 1 if known.leader else 1,
        owner=owner,
        site=site,
        at_ns=journal.clock(),
        release=terms.release,
        settings=terms.settings,
    )
    asked = clock.monotonic()
    answer = await journal.store.attempt(
        [
            *journal.ours(),
            etcd.mod_is(journal.key("leader"), known.leader_mod),
            etcd.mod_is(journal.key("heartbeat"), known.beat_mod),
            etcd.mod_is(journal.key("tail"), known.tail_mod),
        ],
        [
            etcd.put(journal.key("leader"), msgspec.json.encode(mine)),
            *_everything_after(journal, known.index),
        ],
        [],
    )
    if not answer.succeeded:
        return None
    revision = int(answer.header.revision)
    won = await _won(journal, known, mine, revision, answer.responses[1:], revision)
    won.leader.confirmed = asked  # it was written under this leadership: a heartbeat can wait
    return won


async def named(journal: Journal, known: Known, *, owner: str, patience_s: float) -> Won | None:
    """Return the leadership that the leader key gives to `owner`, if it does.

    Read linearizably. Raises `Unreachable` beyond the patience.
    """
    key = journal.key("leader")
    answer = await journal.store.read(
        etcd.get(key), *_everything_after(journal, known.index), patience_s=patience_s
    )
    found = etcd.pair(answer.responses[0].response_range, key)
    held = msgspec.json.decode(found.value, type=Leadership) if found.mod else None
    if held is None or held.owner != owner:
        return None
    revision = int(answer.header.revision)
    return await _won(journal, known, held, found.mod, answer.responses[1:], revision)


def _everything_after(journal: Journal, index: int) -> list[Any]:
    start, end = journal.batch_key(index + 1), journal.key("batch0")
    return [
        etcd.get(journal.key("tail")),
        etcd.get(journal.key("kill")),
        etcd.get(start, end, limit=READ_BATCHES),
    ]


async def _won(
    journal: Journal,
    known: Known,
    mine: Leadership,
    mod: int,
    responses: Any,
    revision: int,
) -> Won:
    tail, kill = (
        etcd.pair(part.response_range, name)
        for part, name in zip(responses, ("tail", "kill"), strict=False)
    )
    last = int(tail.value or b"0")
    batches = [decode_batch(bytes(kv.value)) for kv in responses[2].response_range.kvs]
    index = batches[-1].last if batches else known.index
    while index < last:  # a follower that was far behind
        batches += await journal.read(index, last)
        index = batches[-1].last
    leader = Leader(journal, mine, mod, last, kill_view(kill, revision))
    return Won(leader=leader, batches=tuple(batches))


__all__ = ["Known", "NoSpace", "OutcomeUnknown", "Won", "challenge", "named", "standing"]
