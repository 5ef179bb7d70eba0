"""The journal of the order path: reading it, following it, and the kill switch.

Keys, all under `/{environment}/`: `identity` (whose journal it is: `apps.core.identity`),
`leader` (epoch and owner), `update` (what may differ for now: `apps.core.terms`), `tail`
(index of the last record), `heartbeat`, `kill` (present means halted), `resumed` (when
that was lifted last), `batch/{first record:020d}`, `snapshot/{record:020d}`. Appending takes
leadership: `apps.core.leader`. Readers count in record indexes, never in revisions.

The command line uses `Journal.halt`, `Journal.resume` and `Journal.kill_switch`:

    async with Journal(environment="daily", endpoints=[...], ca=..., cert=..., key=...) as journal:
        halted = await journal.halt(by="alice", reason="runaway strategy")
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from apps.core import archive, clock, etcd
from apps.core.clock import Clock, utc_ns
from apps.core.etcd import Credentials, Etcd, EtcdError, NoSpace, OutcomeUnknown, Unreachable
from apps.core.records import Batch, decode_batch
from apps.core.settings import JournalSettings

IDENTITY, UPDATE = "identity", "update"
READ_BATCHES = 200
"""How many batches one read of the journal asks for."""
POLL_S = 1.0
"""How often a follower looks at the tail although its watch is silent."""
OBEYED_WITHIN_S = 2.0
"""How long `halt` and `resume` wait for a leader to say that it obeys."""

__all__ = [
    "Beat",
    "Gap",
    "Halt",
    "Halted",
    "Journal",
    "JournalError",
    "KillView",
    "Leadership",
    "NoSpace",
    "OutcomeUnknown",
    "Resumed",
    "Snapshot",
    "Unreachable",
]

JournalError = EtcdError
"""The base of everything that the journal raises about its store."""


class Gap(Exception):
    """Records are gone from the journal and not in the archive at hand."""


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """What the kill key holds: who stopped trading, when, why."""

    at_ns: int
    by: str
    reason: str
    v: int = 1


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """What the resumed key holds: when the kill switch was lifted last."""

    at_ns: int
    v: int = 1


class KillView(msgspec.Struct, frozen=True, kw_only=True):
    """The kill switch as somebody last saw it.

    `mod` is the revision that wrote the key (0: not halted) and what an append is guarded
    by; `seen` is the store's revision at that moment, so that the newer of two views wins.
    """

    mod: int
    seen: int
    halt: Halt | None

    @property
    def halted(self) -> bool:
        """Whether trading is stopped."""
        return self.halt is not None


class Leadership(msgspec.Struct, frozen=True, kw_only=True):
    """What the leader key holds.

    `release` and `settings` are the terms that it leads under (`apps.core.terms`); empty in
    what a release before them wrote.
    """

    epoch: int
    owner: str
    site: str
    at_ns: int
    release: str = ""
    settings: str = ""
    v: int = 1


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """What the heartbeat key holds: the leader's epoch, its progress, what it has seen.

    `kill_seen` is the store's revision at which the leader last knew the kill switch; the
    gateway obeys what stood there.
    """

    epoch: int
    owner: str
    progress: int
    kill_seen: int
    at_ns: int
    v: int = 1


class Halted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `halt` and `resume`.

    `acknowledged`: the leader has said that it obeys; `effective_ms` is how long that took
    from the request on. Without a leader there is nobody to send an order either, and its
    successor reads the key before it sends anything.
    """

    halted: bool
    changed: bool
    acknowledged: bool
    effective_ms: float
    halt: Halt | None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The open state after record `index`, in the writer's own form."""

    index: int
    state: bytes


class Journal:
    """Reads one environment's journal; every call has a deadline and is retried."""

    def __init__(
        self,
        *,
        environment: str,
        endpoints: Sequence[str],
        ca: Path,
        cert: Path,
        key: Path,
        deadline_ms: int = 50,
        archived: Path | None = None,
        identity: str = "",
    ) -> None:
        """Prepare a client; `archived` is the folder of batches that left the journal.

        `identity` is the UUID of the environment that the client acts for.
        """
        store = Etcd(endpoints, Credentials(ca, cert, key), deadline_s=deadline_ms / 1_000)
        self._on(environment, store, archived, utc_ns)
        self.identity = identity

    @classmethod
    def on(cls, environment: str, store: Etcd, clock: Clock) -> Self:
        """Return a journal on a store that is open already; it has no archive."""
        journal = cls.__new__(cls)
        journal._on(environment, store, None, clock)
        return journal

    def _on(self, environment: str, store: Etcd, archived: Path | None, clock: Clock) -> None:
        self.store = store
        self.prefix = f"/{environment}/"
        self.archived = archived
        self.clock = clock
        self.identity = ""

    @classmethod
    def of(cls, settings: JournalSettings) -> Journal:
        """Return the journal that the settings of an app name."""
        return cls(
            environment=settings.environment,
            endpoints=settings.journal_endpoints,
            ca=settings.journal_ca_file,
            cert=settings.journal_cert_file,
            key=settings.journal_key_file,
            deadline_ms=settings.journal_deadline_ms,
            archived=settings.journal_archive,
            identity=settings.journal_identity,
        )

    async def __aenter__(self) -> Self:
        """Return the journal."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.store.close()

    def key(self, name: str) -> str:
        """Return the full name of a key."""
        return self.prefix + name

    def ours(self) -> list[Any]:
        """Return the comparison "this is our environment's journal", for an election."""
        mine = self.identity.encode()
        return [etcd.value_is(self.key(IDENTITY), mine)] if mine else []

    def batch_key(self, first: int) -> str:
        """Return the key of the batch whose first record has that index."""
        return f"{self.prefix}batch/{first:020d}"

    # Reading

    async def tail(self, *, patience_s: float | None = None) -> int:
        """Return the index of the last record, read linearizably; 0 for an empty journal."""
        return (await self._tail(patience_s))[0]

    async def _tail(self, patience_s: float | None = None) -> tuple[int, int]:
        """Return the index of the last record, and the store's revision as it was read."""
        key = self.key("tail")
        answer = await self.store.read(etcd.get(key), patience_s=patience_s)
        found = etcd.pair(answer.responses[0].response_range, key)
        return int(found.value or b"0"), int(answer.header.revision)

    async def read(self, after: int, tail: int) -> list[Batch]:
        """Return batches that follow record `after`, up to `tail`; some, not always all.

        `after` is the last record of a batch. What the journal has already let go of is
        read from the archive; `Gap` where that does not have it either.
        """
        if after >= tail:
            return []
        found = await self.store.scan(
            self.batch_key(after + 1), self.batch_key(tail + 1), limit=READ_BATCHES
        )
        batches = [decode_batch(pair.value) for pair in found]
        if batches and batches[0].first == after + 1:
            return batches
        return await asyncio.to_thread(self._from_archive, after)

    def _from_archive(self, after: int) -> list[Batch]:
        batches: list[Batch] = []
        for raw in archive.read(self.archived, after) if self.archived else ():
            batch = decode_batch(raw)
            if batch.first == (batches[-1].last if batches else after) + 1:
                batches.append(batch)
            if len(batches) == READ_BATCHES:
                break
        if not batches:
            raise Gap(
                f"record {after + 1} is neither in the journal nor in the archive "
                f"({self.archived or 'no folder is set'})"
            )
        return batches

    async def follow(
        self, after: int, *, linger_s: float = 0.0
    ) -> AsyncGenerator[list[Batch], None]:
        """Yield the batches after a record for ever, as they are appended.

        Who is in no hurry lets them gather for `linger_s`: each look costs the store reads
        that appends then wait for. A watch would bring every append by itself, so that the
        tail is watched only from a look on that found nothing new.
        """
        while True:
            tail, revision = await self._tail()
            if after >= tail:
                await self._until_appended(revision + 1)
            while after < tail:
                batches = await self.read(after, tail)
                yield batches
                after = batches[-1].last
            await asyncio.sleep(linger_s)

    async def _until_appended(self, revision: int) -> None:
        """Return when the tail was written at a revision or later, and now and then without."""
        watch = self.store.watch(self.key("tail"), "", revision)
        with contextlib.suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(POLL_S), contextlib.aclosing(watch) as changes:
                await anext(changes)

    async def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot of open state."""
        start, end = self.key("snapshot/"), self.key("snapshot0")
        found = await self.store.scan(start, end)
        if not found:
            return None
        newest = found[-1]
        return Snapshot(index=int(newest.key.rpartition("/")[2]), state=newest.value)

    # The kill switch

    async def kill_switch(self, *, patience_s: float | None = None) -> KillView:
        """Return the kill switch, read linearizably."""
        key = self.key("kill")
        answer = await self.store.read(etcd.get(key), patience_s=patience_s)
        found = etcd.pair(answer.responses[0].response_range, key)
        return kill_view(found, int(answer.header.revision))

    async def watch_kill(self) -> AsyncGenerator[KillView, None]:
        """Yield the kill switch now and after every change, for ever."""
        while True:
            view = await self.kill_switch()
            yield view
            with contextlib.suppress(Unreachable):
                async for changes in self.store.watch(self.key("kill"), "", view.seen + 1):
                    change = changes[-1]
                    deleted = change.value is None
                    found = etcd.Pair(
                        change.key, change.value or b"", 0 if deleted else change.revision
                    )
                    yield kill_view(found, change.revision)
            await asyncio.sleep(etcd.FIRST_BACKOFF_S)

    async def halt(self, *, by: str, reason: str, timeout_s: float = 5.0) -> Halted:
        """Stop trading: no order leaves once this returns acknowledged.

        A halt that is on already stays as it was. Raises `Unreachable` where the journal
        does not answer within `timeout_s`: nothing has been stopped then, as far as known.
        """
        halt = Halt(at_ns=self.clock(), by=by, reason=reason)
        return await self._switch(halt, timeout_s)

    async def resume(self, *, timeout_s: float = 5.0) -> Halted:
        """Let trading go on; raises as `halt` does."""
        return await self._switch(None, timeout_s)

    async def resumed(self, *, patience_s: float | None = None) -> Resumed | None:
        """Return when the kill switch was lifted last; None where it never was."""
        key = self.key("resumed")
        answer = await self.store.read(etcd.get(key), patience_s=patience_s)
        found = etcd.pair(answer.responses[0].response_range, key)
        return msgspec.json.decode(found.value, type=Resumed) if found.mod else None

    async def _switch(self, halt: Halt | None, timeout_s: float) -> Halted:
        started = clock.monotonic()
        key = self.key("kill")
        changes = [etcd.put(key, msgspec.json.encode(halt))]
        if halt is None:  # a site that kept a halt of its own must not bring it back after this
            told = msgspec.json.encode(Resumed(at_ns=self.clock()))
            changes = [etcd.delete(key), etcd.put(self.key("resumed"), told)]
        tried = False
        while True:
            left_s = timeout_s - (clock.monotonic() - started)
            view = await self.kill_switch(patience_s=max(left_s, 0.0))
            if view.halted == (halt is not None):
                break
            tried = True
            with contextlib.suppress(OutcomeUnknown):
                await self.store.attempt([etcd.mod_is(key, view.mod)], changes, [])
        # A halt is known by the revision that wrote it; its absence by the one that read it.
        acknowledged = await self._obeyed(
            view.mod or view.seen, timeout_s - (clock.monotonic() - started)
        )
        return Halted(
            halted=view.halted,
            changed=tried and view.halt == halt,
            acknowledged=acknowledged,
            effective_ms=(clock.monotonic() - started) * 1_000,
            halt=view.halt,
        )

    async def _obeyed(self, revision: int, patience_s: float) -> bool:
        """Whether the leader says within the patience that it has seen that revision."""
        until = clock.monotonic() + min(patience_s, OBEYED_WITHIN_S)
        while (left_s := until - clock.monotonic()) > 0:
            beat = await self.beat(patience_s=left_s)
            if beat is not None and beat.kill_seen >= revision:
                return True
            await asyncio.sleep(0.002)
        return False

    async def beat(self, *, patience_s: float | None = None) -> Beat | None:
        """Return the leader's last heartbeat."""
        key = self.key("heartbeat")
        answer = await self.store.read(etcd.get(key), patience_s=patience_s)
        found = etcd.pair(answer.responses[0].response_range, key)
        return msgspec.json.decode(found.value, type=Beat) if found.mod else None


def kill_view(found: etcd.Pair, revision: int) -> KillView:
    """Return the view that a read of the kill key at a revision of the store gives."""
    halt = msgspec.json.decode(found.value, type=Halt) if found.mod else None
    return KillView(mod=found.mod, seen=revision, halt=halt)
