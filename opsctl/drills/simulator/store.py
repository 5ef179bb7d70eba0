"""etcd, as its clients see it: linearizable transactions, watches, and everything that goes wrong.

The store is one value; each process has a client of its own with the interface of
`apps.core.etcd.Etcd`. Requests and answers travel, and are lost; a transaction may succeed
though its answer is lost; while the members elect nothing is answered; watches lag and
break. `tests/integration/drills` holds it against the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

from apps.core.etcd import Change, OutcomeUnknown, Pair, Unreachable
from opsctl.drills.simulator.world import World

DEADLINE_S = 0.05
FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.01, 0.2
MOD, VALUE = 2, 3
"""What a comparison is of, as etcd numbers it."""


class _Kv(NamedTuple):
    key: bytes
    value: bytes
    mod_revision: int


class _Range(NamedTuple):
    kvs: list[_Kv]


class _Response(NamedTuple):
    response_range: _Range | None


class _Header(NamedTuple):
    revision: int


class Answer(NamedTuple):
    """The answer to a transaction, in the shape of the real one."""

    succeeded: bool
    header: _Header
    responses: list[_Response]


class Store:
    """What the members hold together."""

    def __init__(self, world: World) -> None:
        """Begin empty."""
        self.world = world
        self.revision = 1
        self.keys: dict[bytes, tuple[bytes, int]] = {}
        self.log: list[tuple[int, bytes, bytes | None]] = []
        self.compacted = 0
        """The newest revision before which nothing is remembered."""
        self.stalled_until = 0.0
        """While the members elect, nothing is answered."""
        self.led_by: Client | None = None
        """Whose nearest member leads the others; None where nobody's here does."""
        self.watchers: list[Watcher] = []
        self.on_commit: Callable[[int, bytes, bytes | None], None] = lambda *_: None

    def transact(self, compare: Sequence[Any], then: Sequence[Any], els: Sequence[Any]) -> Answer:
        """Do a transaction, now."""
        holds = all(self._holds(one) for one in compare)
        ops = then if holds else els
        writes = any(not op.HasField("request_range") for op in ops)
        revision = self.revision + 1 if writes else self.revision
        changes: list[tuple[int, bytes, bytes | None]] = []
        responses = [self._do(op, revision, changes) for op in ops]
        if changes:
            self.revision = revision
            self.log += changes
            for change in changes:
                self.on_commit(*change)
            for watcher in tuple(self.watchers):
                watcher.push(changes)
        return Answer(holds, _Header(self.revision), responses)

    def compact(self, revision: int) -> None:
        """Forget what keys held before a revision."""
        self.compacted = max(self.compacted, revision)
        self.log = [change for change in self.log if change[0] >= self.compacted]

    def _holds(self, one: Any) -> bool:
        value, mod = self.keys.get(bytes(one.key), (b"", 0))
        if one.target == MOD:
            return mod == int(one.mod_revision)
        if one.target == VALUE:
            return mod > 0 and value == bytes(one.value)
        raise NotImplementedError(f"comparison of {one.target}")

    def _do(
        self, op: Any, revision: int, changes: list[tuple[int, bytes, bytes | None]]
    ) -> _Response:
        if op.HasField("request_put"):
            key, value = bytes(op.request_put.key), bytes(op.request_put.value)
            self.keys[key] = (value, revision)
            changes.append((revision, key, value))
            return _Response(None)
        if op.HasField("request_delete_range"):
            asked = op.request_delete_range
            for key in self._between(bytes(asked.key), bytes(asked.range_end)):
                del self.keys[key]
                changes.append((revision, key, None))
            return _Response(None)
        asked = op.request_range
        return _Response(
            _Range(self.range(bytes(asked.key), bytes(asked.range_end), int(asked.limit)))
        )

    def range(self, start: bytes, end: bytes, limit: int = 0) -> list[_Kv]:
        """Return the pairs of a key, or of all from it up to `end`."""
        found = self._between(start, end)
        return [_Kv(key, *self.keys[key]) for key in (found[:limit] if limit else found)]

    def _between(self, start: bytes, end: bytes) -> list[bytes]:
        if not end:
            return [start] if start in self.keys else []
        return sorted(key for key in self.keys if start <= key < end)


class Watcher:
    """A watch under way: what has happened, and what was handed over."""

    def __init__(self, client: Client, start: bytes, end: bytes) -> None:
        """Watch a key, or all from it up to `end`."""
        self.client = client
        self.start, self.end = start, end
        self.arrived: list[list[Change]] = []
        self.broken = False
        self.waiter: asyncio.Future[None] | None = None
        self._last = 0.0

    def push(self, changes: Sequence[tuple[int, bytes, bytes | None]]) -> None:
        """Send changes on their way, in order."""
        mine = [
            Change(key.decode(), value, revision)
            for revision, key, value in changes
            if (self.start <= key < self.end if self.end else key == self.start)
        ]
        if mine and not self.broken:
            world = self.client.store.world
            self._last = max(self._last, world.now + self.client.lag())
            world.at(self._last, lambda: self._arrive(mine))

    def _arrive(self, changes: list[Change]) -> None:
        if self.broken or self.client.loop.dead:
            return
        if self.client.cut_until > self.client.store.world.now:
            self.break_off()
            return
        self.arrived.append(changes)
        self.wake()

    def break_off(self) -> None:
        """Lose the stream."""
        self.broken = True
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look."""
        if self.waiter is not None:
            waiter = self.waiter
            self.client.loop.inside(lambda: None if waiter.done() else waiter.set_result(None))


class Client:
    """A process's client of the store, with the interface of `apps.core.etcd.Etcd`."""

    def __init__(self, store: Store, loop: Any) -> None:
        """Talk from a process."""
        self.store = store
        self.loop = loop
        self.deadline_s = DEADLINE_S
        self.cut_until = 0.0
        self.losing = 0.0
        """How often an answer is lost now."""

    def lag(self) -> float:
        """Return what one way takes, by chance."""
        world = self.store.world
        return world.between(0.0003, 0.002) if world.chance(0.95) else world.between(0.002, 0.02)

    async def close(self) -> None:
        """Close nothing."""

    async def attempt(self, compare: Sequence[Any], then: Sequence[Any], els: Sequence[Any]) -> Any:
        """Send a transaction once; `OutcomeUnknown` where its answer is lost."""
        world, store = self.store.world, self.store
        answered: asyncio.Future[Answer] = self.loop.create_future()

        def back(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        def arrive() -> None:
            if store.stalled_until > world.now:
                if world.chance(0.5):  # kept by a member until there is a leader again
                    world.at(store.stalled_until + self.lag(), arrive)
                return
            answer = store.transact(compare, then, els)
            if not world.chance(self.losing) and self.cut_until <= world.now:
                world.after(self.lag(), lambda: self.loop.inside(lambda: back(answer)))

        if self.cut_until <= world.now:
            world.after(self.lag(), arrive)
        try:
            async with asyncio.timeout(self.deadline_s):
                return await answered
        except TimeoutError:
            raise OutcomeUnknown("DEADLINE_EXCEEDED: no answer") from None

    async def read(self, *ops: Any, patience_s: float | None = None) -> Any:
        """Read linearizably, asking again until it is answered."""
        until = None if patience_s is None else self.store.world.now + patience_s
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                return await self.attempt([], ops, [])
            except OutcomeUnknown as fault:
                if until is not None and self.store.world.now + backoff_s > until:
                    raise Unreachable(str(fault)) from fault
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)

    async def scan(
        self, start: str, end: str, *, limit: int = 0, patience_s: float | None = None
    ) -> list[Pair]:
        """Return the pairs from `start` up to `end`."""
        from apps.core import etcd

        answer = await self.read(etcd.get(start, end, limit=limit), patience_s=patience_s)
        return [
            Pair(kv.key.decode(), kv.value, kv.mod_revision)
            for kv in answer.responses[0].response_range.kvs
        ]

    async def watch(self, start: str, end: str, revision: int) -> AsyncIterator[list[Change]]:
        """Yield the changes from a revision on (0: from now on); `Unreachable` when it breaks."""
        watcher = Watcher(self, start.encode(), end.encode())
        store = self.store
        if 0 < revision < store.compacted:
            raise Unreachable("watch canceled: compacted")
        watcher.push([c for c in store.log if revision and c[0] >= revision])
        self.store.watchers.append(watcher)
        try:
            while True:
                while watcher.arrived:
                    yield watcher.arrived.pop(0)
                if watcher.broken:
                    raise Unreachable("the watch broke")
                watcher.waiter = self.loop.create_future()
                await watcher.waiter
        finally:
            watcher.broken = True
            if watcher in self.store.watchers:
                self.store.watchers.remove(watcher)

    def break_watches(self) -> None:
        """Lose every stream of this client."""
        for watcher in self.store.watchers:
            if watcher.client is self:
                watcher.break_off()

    async def compact(self, revision: int) -> None:
        """Forget what keys held before a revision."""
        self.store.compact(revision)

    async def led_by(self) -> int | None:
        """Return 0 where this client's nearest member leads, else that another does."""
        await asyncio.sleep(self.lag())
        if self.cut_until > self.store.world.now or self.store.stalled_until > self.store.world.now:
            return None
        return 0 if self.store.led_by is self else 1

    async def lead_nearest(self, instead_of: int) -> bool:
        """Have the lead moved here, which takes a moment, and sometimes an election."""
        world, store = self.store.world, self.store
        moves_s = self.lag() if world.chance(0.9) else world.between(0.02, 0.2)
        if self.cut_until <= world.now:
            store.stalled_until = max(store.stalled_until, world.now + moves_s)
            store.led_by = self
        await asyncio.sleep(min(moves_s, self.deadline_s))
        return store.led_by is self and moves_s <= self.deadline_s

    async def defragment(self) -> None:
        """Do nothing."""

    async def sizes(self) -> tuple[int, int]:
        """Return that it is small."""
        return 0, 0
