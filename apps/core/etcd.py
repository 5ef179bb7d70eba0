"""A client of etcd for the journal: mutual TLS, a deadline on every call, known outcomes.

The stubs are aetcd's; the client is our own, since what matters here is the difference
between "refused", "done" and "nobody knows": a write whose answer is lost must be looked
up before anything else is written, and only the caller knows how.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aetcd import rpc

from apps.core.rpc import Channel, Failed, Status, context

log = structlog.get_logger()

FIRST_BACKOFF_S = 0.01
LAST_BACKOFF_S = 0.2

_UNKNOWN = frozenset(
    {
        Status.UNAVAILABLE,
        Status.DEADLINE_EXCEEDED,
        Status.CANCELLED,
        Status.ABORTED,
        Status.INTERNAL,
        Status.UNKNOWN,
    }
)

TXN, RANGE, COMPACT = (f"/etcdserverpb.KV/{name}" for name in ("Txn", "Range", "Compact"))
WATCH = "/etcdserverpb.Watch/Watch"
STATUS, DEFRAGMENT, ALARM, MOVE_LEADER = (
    f"/etcdserverpb.Maintenance/{name}" for name in ("Status", "Defragment", "Alarm", "MoveLeader")
)
LOOK_S = 0.001
"""How often a member is asked whether it leads by now."""


class EtcdError(Exception):
    """The store refused a call for good: wrong credentials, a faulty request."""


class Unreachable(EtcdError):
    """No member answered within the caller's patience."""


class OutcomeUnknown(EtcdError):
    """A write was sent and its answer is lost: it may have happened, or may happen yet."""


class NoSpace(EtcdError):
    """The store is full; nothing can be written until it is compacted and defragmented."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files of mutual TLS: authority, certificate and key of a client."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A key as it is stored; `mod` is the revision of its last write, 0 where it is absent."""

    key: str
    value: bytes
    mod: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a watched key; `value` is None where it was deleted."""

    key: str
    value: bytes | None
    revision: int


def pair(found: Any, key: str) -> Pair:
    """Return the answer to a read of one key."""
    if not found.kvs:
        return Pair(key, b"", 0)
    return Pair(key, bytes(found.kvs[0].value), int(found.kvs[0].mod_revision))


def mod_is(key: str, mod: int) -> Any:
    """Return the comparison "this key was last written at that revision" (0: is absent)."""
    return rpc.Compare(
        result=rpc.Compare.EQUAL, target=rpc.Compare.MOD, key=key.encode(), mod_revision=mod
    )


def value_is(key: str, value: bytes) -> Any:
    """Return the comparison "this key holds that value"."""
    return rpc.Compare(
        result=rpc.Compare.EQUAL, target=rpc.Compare.VALUE, key=key.encode(), value=value
    )


def put(key: str, value: bytes) -> Any:
    """Return the operation that writes a key."""
    return rpc.RequestOp(request_put=rpc.PutRequest(key=key.encode(), value=value))


def get(key: str, end: str = "", *, limit: int = 0) -> Any:
    """Return the operation that reads a key, or up to `limit` from it up to `end`."""
    return rpc.RequestOp(
        request_range=rpc.RangeRequest(key=key.encode(), range_end=end.encode(), limit=limit)
    )


def delete(key: str, end: str = "") -> Any:
    """Return the operation that deletes a key, or all from it up to `end`."""
    return rpc.RequestOp(
        request_delete_range=rpc.DeleteRangeRequest(key=key.encode(), range_end=end.encode())
    )


class Etcd:
    """Talks to the members of one etcd; the nearest first, another when it fails."""

    def __init__(
        self, endpoints: Sequence[str], credentials: Credentials, *, deadline_s: float
    ) -> None:
        """Prepare the channels; they connect on first use and again after a loss."""
        self.deadline_s = deadline_s
        tls = context(str(credentials.ca), str(credentials.cert), str(credentials.key))
        self._channels = [Channel(name, tls) for name in endpoints]
        self._at = 0

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            await channel.close()

    async def attempt(self, compare: Sequence[Any], then: Sequence[Any], els: Sequence[Any]) -> Any:
        """Send a transaction once; `OutcomeUnknown` where its answer is lost."""
        request = rpc.TxnRequest(compare=compare, success=then, failure=els)
        try:
            return await self._txn(self._at, request)
        except Failed as fault:
            self._next()
            raise _named(fault) from fault

    async def _txn(self, at: int, request: Any) -> Any:
        raw = await self._channels[at].call(
            TXN, request.SerializeToString(), timeout_s=self.deadline_s
        )
        return rpc.TxnResponse.FromString(raw)

    async def read(self, *ops: Any, patience_s: float | None = None) -> Any:
        """Read linearizably in one transaction, retrying at every member until it is answered.

        `patience_s` None waits for ever; else `Unreachable` is raised after so long.
        """
        request = rpc.TxnRequest(success=ops)
        return await self._patiently(lambda at: self._txn(at, request), patience_s)

    async def scan(
        self, start: str, end: str, *, limit: int = 0, patience_s: float | None = None
    ) -> list[Pair]:
        """Return the pairs from `start` up to `end`, in the order of their keys."""
        request = rpc.RangeRequest(key=start.encode(), range_end=end.encode(), limit=limit)
        raw = request.SerializeToString()
        # A scan moves megabytes: the deadline of a single write is not meant for it.
        deadline_s = max(self.deadline_s, 5.0)
        found = rpc.RangeResponse.FromString(
            await self._patiently(
                lambda at: self._channels[at].call(RANGE, raw, timeout_s=deadline_s), patience_s
            )
        )
        return [Pair(kv.key.decode(), bytes(kv.value), int(kv.mod_revision)) for kv in found.kvs]

    async def watch(
        self, start: str, end: str, revision: int
    ) -> AsyncGenerator[list[Change], None]:
        """Yield the changes of keys from `revision` on; `Unreachable` when the stream breaks."""
        create = rpc.WatchCreateRequest(
            key=start.encode(), range_end=end.encode(), start_revision=revision
        )
        request = rpc.WatchRequest(create_request=create).SerializeToString()
        try:
            async with contextlib.aclosing(self._channels[self._at].stream(WATCH, request)) as said:
                async for raw in said:
                    answer = rpc.WatchResponse.FromString(raw)
                    if answer.canceled or answer.compact_revision:
                        raise Unreachable(f"watch canceled: {answer.cancel_reason or 'compacted'}")
                    if answer.events:
                        yield [_change(event) for event in answer.events]
        except Failed as fault:
            self._next()
            raise Unreachable(str(_named(fault))) from fault
        raise Unreachable("watch ended")

    async def sizes(self) -> tuple[int, int]:
        """Return the bytes of the member's database, and those of them in use."""
        found = await self._patiently(self._status, 5.0)
        return int(found.dbSize), int(found.dbSizeInUse)

    async def led_by(self) -> int | None:
        """Return which member leads the others, as its place among ours: the nearest is 0.

        None where nobody says: they elect, or it does not answer. Nor does a nearest that is
        silent say: it could not take the lead over.
        """
        try:
            leads = (here := await self._status(0)).leader
        except Failed:
            return None
        if leads == here.header.member_id:
            return 0
        for at in range(1, len(self._channels)):
            with contextlib.suppress(Failed):
                if (await self._status(at)).header.member_id == leads:
                    return at
        return None

    async def lead_nearest(self, instead_of: int) -> bool:
        """Have the member that leads hand over to the nearest; return whether that leads then.

        Waits as long as a write may take, at most. The members refuse writes meanwhile.
        """
        moving: asyncio.Task[bytes] | None = None
        try:
            async with asyncio.timeout(self.deadline_s):
                here = (await self._status(0)).header.member_id
                request = rpc.MoveLeaderRequest(targetID=here).SerializeToString()
                # It says that it is done at its next tick only; the nearest knows before.
                moving = asyncio.create_task(
                    self._channels[instead_of].call(MOVE_LEADER, request, timeout_s=self.deadline_s)
                )
                while (await self._status(0)).leader != here:
                    await asyncio.sleep(LOOK_S)
                return True
        except (Failed, TimeoutError):
            return False
        finally:
            if moving is not None:
                moving.cancel()
                await asyncio.gather(moving, return_exceptions=True)

    async def _status(self, at: int) -> Any:
        raw = await self._channels[at].call(
            STATUS, rpc.StatusRequest().SerializeToString(), timeout_s=max(self.deadline_s, 1.0)
        )
        return rpc.StatusResponse.FromString(raw)

    async def compact(self, revision: int) -> None:
        """Forget what keys held before `revision`; a revision already forgotten is fine."""
        request = rpc.CompactionRequest(revision=revision, physical=True)
        try:
            await self._channels[self._at].call(
                COMPACT, request.SerializeToString(), timeout_s=30.0
            )
        except Failed as fault:
            if fault.status is not Status.OUT_OF_RANGE:
                raise _named(fault) from fault

    async def defragment(self) -> None:
        """Give every member's free pages back, one after another.

        A member does not answer while it does this. One that is away does not keep the others
        from it; the first that failed is raised at the end.
        """
        failed: Failed | None = None
        request = rpc.DefragmentRequest().SerializeToString()
        for channel in self._channels:
            try:
                await channel.call(DEFRAGMENT, request, timeout_s=60.0)
            except Failed as fault:
                failed = failed or fault
        if failed is not None:
            raise _named(failed) from failed

    async def disarm(self) -> None:
        """Clear the alarms of full members: until then the store refuses every write.

        Each is cleared by the id of its member. A member that is full still raises it anew.
        """
        asked = rpc.AlarmRequest(action=rpc.AlarmRequest.GET, alarm=rpc.NOSPACE)
        for raised in (await self._alarm(asked)).alarms:
            await self._alarm(
                rpc.AlarmRequest(
                    action=rpc.AlarmRequest.DEACTIVATE, memberID=raised.memberID, alarm=rpc.NOSPACE
                )
            )

    async def _alarm(self, request: Any) -> Any:
        raw = request.SerializeToString()
        return rpc.AlarmResponse.FromString(
            await self._patiently(
                lambda at: self._channels[at].call(ALARM, raw, timeout_s=5.0), 5.0
            )
        )

    def _next(self) -> None:
        self._at = (self._at + 1) % len(self._channels)

    async def _patiently(self, call: Any, patience_s: float | None) -> Any:
        loop = asyncio.get_running_loop()
        until = None if patience_s is None else loop.time() + patience_s
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                return await call(self._at)
            except Failed as fault:
                named = _named(fault)
                self._next()
                if not isinstance(named, OutcomeUnknown | NoSpace):
                    raise named from fault
                if until is not None and loop.time() + backoff_s > until:
                    raise Unreachable(str(named)) from fault
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)


def _change(event: Any) -> Change:
    deleted = event.type == 1
    value = None if deleted else bytes(event.kv.value)
    return Change(event.kv.key.decode(), value, int(event.kv.mod_revision))


def _named(fault: Failed) -> EtcdError:
    if fault.status is Status.RESOURCE_EXHAUSTED:
        return NoSpace(str(fault))
    return OutcomeUnknown(str(fault)) if fault.status in _UNKNOWN else EtcdError(str(fault))
