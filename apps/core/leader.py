"""Leadership of the journal: taking an epoch, appending, heartbeats, handing over.

An append is one transaction: if the leader key was last written by this election, and the
tail is where this leader left it, and the kill switch is as the caller saw it, then put
the next batch as one value and move the tail. One append is in flight at a time; what
the caller gathers meanwhile travels in the next. An append whose answer is lost is read
back before anything else is done, and sent again unchanged until its outcome is known: a
copy of it may still be on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from apps.core import clock, etcd
from apps.core.etcd import EtcdError, NoSpace, OutcomeUnknown
from apps.core.journal import Beat, Journal, KillView, Leadership, kill_view
from apps.core.records import Batch, JournalRecord, decode_batch, encode_batch
from apps.core.terms import UNTOLD, Terms

log = structlog.get_logger()


class Deposed(Exception):
    """Another process leads now: this one must not act any more."""


class KillChanged(Exception):
    """Nothing was appended: the kill switch is not as the caller saw it."""

    def __init__(self, view: KillView) -> None:
        """Keep the kill switch as it is now."""
        super().__init__("the kill switch changed")
        self.view = view


class Leader:
    """The holder of an epoch; made by `take`."""

    def __init__(
        self, journal: Journal, mine: Leadership, mod: int, tail: int, kill: KillView
    ) -> None:
        """Hold what an election won; use `take`."""
        self.journal = journal
        self.mine = mine
        self.tail = tail
        self.kill = kill
        self.confirmed = 0.0
        """When the last confirmed write was asked for, on the monotonic clock."""
        self.trouble = ""
        """Why appends do not get through now; empty while they do."""
        self.full = False
        """Whether the store refused the last write for want of room."""
        self.on_kill: Callable[[KillView], None] = lambda _: None
        self._mod = mod
        self._store = journal.store
        self._appending = asyncio.Lock()
        self._beating = asyncio.Lock()

    @classmethod
    async def take(
        cls, journal: Journal, *, owner: str, site: str, terms: Terms = UNTOLD
    ) -> Leader:
        """Take the next epoch by compare-and-swap, waiting until the journal answers.

        `owner` must be unique to this process: it is how an election whose answer was lost
        recognises its own success.
        """
        key = journal.key("leader")
        names = [key, journal.key("tail"), journal.key("kill")]
        while True:
            answer = await journal.store.read(*(etcd.get(name) for name in names))
            leader, tail, kill = (
                etcd.pair(part.response_range, name)
                for part, name in zip(answer.responses, names, strict=True)
            )
            held = msgspec.json.decode(leader.value, type=Leadership) if leader.mod else None
            if held is not None and held.owner == owner:
                view = kill_view(kill, int(answer.header.revision))
                return cls(journal, held, leader.mod, int(tail.value or b"0"), view)
            mine = Leadership(
                epoch=held.epoch + 1 if held else 1,
                owner=owner,
                site=site,
                at_ns=journal.clock(),
                release=terms.release,
                settings=terms.settings,
            )
            try:
                await journal.store.attempt(
                    [etcd.mod_is(key, leader.mod), *journal.ours()],
                    [etcd.put(key, msgspec.json.encode(mine))],
                    [],
                )
            except (OutcomeUnknown, NoSpace) as fault:
                log.warning("election without an answer", reason=str(fault))
                await asyncio.sleep(etcd.FIRST_BACKOFF_S)

    async def append(self, records: Sequence[JournalRecord], kill: KillView) -> int:
        """Append records under the kill switch as the caller saw it; return the last index.

        Returns once they are durable, however long the journal is away. Raises
        `KillChanged` (nothing was appended) or `Deposed`.
        """
        async with self._appending:
            batch = Batch(
                first=self.tail + 1,
                epoch=self.mine.epoch,
                writer=self.mine.owner,
                records=tuple(records),
            )
            await self._append(batch, encode_batch(batch), kill)
            self.tail = batch.last
            return batch.last

    async def _append(self, batch: Batch, raw: bytes, kill: KillView) -> None:
        unsure = False
        backoff_s = etcd.FIRST_BACKOFF_S
        while True:
            asked = clock.monotonic()
            try:
                answer = await self._transact(batch, raw, kill)
                if answer.succeeded:
                    return self._confirm(asked)
                seen = answer
            except (OutcomeUnknown, NoSpace) as fault:
                unsure = unsure or isinstance(fault, OutcomeUnknown)
                self._troubled(fault)
                seen = await self._store.read(*self._questions(batch.first))
            if self._landed(seen, batch, raw):
                return self._confirm(asked)
            view = self._kill_in(seen)
            if view.mod != kill.mod:
                if unsure:
                    await self._renew()
                    if await self._landed_after_all(batch, raw):
                        return self._confirm(asked)
                self.saw(view)
                raise KillChanged(self.kill)
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, etcd.LAST_BACKOFF_S)

    async def _transact(self, batch: Batch, raw: bytes, kill: KillView) -> Any:
        journal = self.journal
        tail = journal.key("tail")
        at_tail = (
            etcd.value_is(tail, str(batch.first - 1).encode())
            if batch.first > 1
            else etcd.mod_is(tail, 0)
        )
        return await self._store.attempt(
            [
                etcd.mod_is(journal.key("leader"), self._mod),
                at_tail,
                etcd.mod_is(journal.key("kill"), kill.mod),
            ],
            [
                etcd.put(journal.batch_key(batch.first), raw),
                etcd.put(tail, str(batch.last).encode()),
            ],
            self._questions(batch.first),
        )

    def _questions(self, first: int) -> list[Any]:
        journal = self.journal
        names = ("leader", "kill", "tail")
        return [*(etcd.get(journal.key(n)) for n in names), etcd.get(journal.batch_key(first))]

    def _landed(self, seen: Any, batch: Batch, raw: bytes) -> bool:
        """Whether the batch is in the journal; `Deposed` where this leadership is over."""
        self._still_mine(etcd.pair(seen.responses[0].response_range, "leader"))
        there = etcd.pair(seen.responses[3].response_range, "batch")
        if there.mod:
            if there.value != raw:
                other = decode_batch(there.value)
                raise Deposed(f"record {batch.first} was written by {other.writer}")
            return True
        tail = int(etcd.pair(seen.responses[2].response_range, "tail").value or b"0")
        if tail != batch.first - 1:
            raise Deposed(f"the journal ends at {tail}, not at {batch.first - 1}")
        return False

    def _still_mine(self, found: etcd.Pair) -> None:
        held = msgspec.json.decode(found.value, type=Leadership) if found.mod else None
        if held is None or (held.epoch, held.owner) != (self.mine.epoch, self.mine.owner):
            raise Deposed(
                f"epoch {held.epoch} is led by {held.owner}" if held else "the journal is empty"
            )
        self._mod = found.mod

    def _kill_in(self, seen: Any) -> KillView:
        found = etcd.pair(seen.responses[1].response_range, "kill")
        return kill_view(found, int(seen.header.revision))

    async def _renew(self) -> None:
        """Rewrite the leader key, so that no append still on its way can be accepted."""
        key = self.journal.key("leader")
        before = self._mod
        while True:
            try:
                answer = await self._store.attempt(
                    [etcd.mod_is(key, self._mod)],
                    [etcd.put(key, msgspec.json.encode(self.mine))],
                    [],
                )
                if answer.succeeded:
                    self._mod = int(answer.header.revision)
                    return
            except (OutcomeUnknown, NoSpace) as fault:
                self._troubled(fault)
                await asyncio.sleep(etcd.FIRST_BACKOFF_S)
            await self._check()
            if self._mod != before:
                return

    async def _check(self) -> None:
        """Read the leader key; `Deposed` where it is another's."""
        key = self.journal.key("leader")
        answer = await self._store.read(etcd.get(key))
        self._still_mine(etcd.pair(answer.responses[0].response_range, key))

    async def _landed_after_all(self, batch: Batch, raw: bytes) -> bool:
        return self._landed(await self._store.read(*self._questions(batch.first)), batch, raw)

    def _confirm(self, asked: float) -> None:
        self.confirmed = max(self.confirmed, asked)
        if self.trouble:
            log.info("journal answers again", after=self.trouble)
            self.trouble, self.full = "", False

    def _troubled(self, fault: EtcdError) -> None:
        if not self.trouble:
            log.warning("journal does not answer", reason=str(fault))
        self.trouble, self.full = str(fault), isinstance(fault, NoSpace)

    def saw(self, view: KillView) -> None:
        """Take note of the kill switch, from whoever read it last."""
        if view.seen < self.kill.seen:
            return
        changed = view.mod != self.kill.mod
        self.kill = view
        if changed:
            self.on_kill(view)

    def proven(self, within_s: float) -> bool:
        """Whether a write under this leadership was confirmed, asked for that recently."""
        return clock.monotonic() - self.confirmed <= within_s

    async def beat(self, progress: int) -> bool:
        """Write the heartbeat and read the kill switch; False where there was no answer.

        Raises `Deposed`. `progress` counts what the leader's loop has done, so that a
        stuck leader shows.
        """
        async with self._beating:
            beat = Beat(
                epoch=self.mine.epoch,
                owner=self.mine.owner,
                progress=progress,
                kill_seen=self.kill.seen,
                at_ns=self.journal.clock(),
            )
            asked, mod = clock.monotonic(), self._mod
            kill = self.journal.key("kill")
            try:
                answer = await self._store.attempt(
                    [etcd.mod_is(self.journal.key("leader"), mod)],
                    [
                        etcd.put(self.journal.key("heartbeat"), msgspec.json.encode(beat)),
                        etcd.get(kill),
                    ],
                    [],
                )
            except (OutcomeUnknown, NoSpace) as fault:
                self._troubled(fault)
                return False
            if not answer.succeeded:
                await self._check()
                return False
            self._confirm(asked)
            found = etcd.pair(answer.responses[1].response_range, kill)
            self.saw(kill_view(found, int(answer.header.revision)))
            return True

    async def hand_over(self, to: Leadership, request: str, request_mod: int) -> bool:
        """Name the successor in the leader key and take the request away, in one step.

        The caller has stopped appending. Returns False where the request is gone or the
        journal does not answer in time (`holds` then tells who leads). Raises `Deposed`.
        """
        async with self._appending:
            key = self.journal.key("leader")
            try:
                answer = await self._store.attempt(
                    [etcd.mod_is(key, self._mod), etcd.mod_is(request, request_mod)],
                    [etcd.put(key, msgspec.json.encode(to)), etcd.delete(request)],
                    [],
                )
            except (OutcomeUnknown, NoSpace) as fault:
                self._troubled(fault)
                await self._check()
                return False
            if not answer.succeeded:
                await self._check()
            return bool(answer.succeeded)

    async def draw(self) -> bool:
        """Have the journal led by the member of this site; whether it was led by another.

        A member that does not lead sends each write to the one that does, and hears from it
        when that is done: two ways more for every append. Nothing is written meanwhile.
        """
        elsewhere = await self._store.led_by()
        if not elsewhere:
            return False
        async with self._appending, self._beating:
            asked = clock.monotonic()
            drawn = await self._store.lead_nearest(elsewhere)
        took_ms = round((clock.monotonic() - asked) * 1e3, 1)
        if drawn:
            log.info("the journal is led from here", took_ms=took_ms)
        else:
            log.warning("the journal's lead did not come here", took_ms=took_ms)
        return True

    async def guarded(self, then: Sequence[Any]) -> Any:
        """Write something else under this leadership, once; `Deposed` where it is over."""
        answer = await self._store.attempt(
            [etcd.mod_is(self.journal.key("leader"), self._mod)], then, []
        )
        if not answer.succeeded:
            await self._check()
        return answer
