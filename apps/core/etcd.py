"""A client of etcd for the journal: mutual TLS, a deadline on every call, known outcomes.

The stubs are aetcd's; the client is our own, since what matters here is the difference
between "refused", "done" and "nobody knows": a write whose answer is lost must be looked
up before anything else is written, and only the caller knows how.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import structlog
from aetcd import rpc

from apps.core.cancelling import heed_cancellation

log = structlog.get_logger()

FIRST_BACKOFF_S = 0.01
LAST_BACKOFF_S = 0.2
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

_UNKNOWN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


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

    def channel(self) -> Any:
        """Return them as gRPC takes them."""
        return grpc.ssl_channel_credentials(
            self.ca.read_bytes(), self.key.read_bytes(), self.cert.read_bytes()
        )


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
        options = [
            ("grpc.enable_retries", 0),
            ("grpc.initial_reconnect_backoff_ms", 20),
            ("grpc.min_reconnect_backoff_ms", 1_000),
            ("grpc.max_reconnect_backoff_ms", 250),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 2_000),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ]
        secure = credentials.channel()
        self._channels = [rpc.secure_channel(name, secure, options=options) for name in endpoints]
        self._kv = [rpc.KVStub(channel) for channel in self._channels]
        self._watch = [rpc.WatchStub(channel) for channel in self._channels]
        self._maintenance = [rpc.MaintenanceStub(channel) for channel in self._channels]
        self._at = 0

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            await channel.close()

    async def attempt(self, compare: Sequence[Any], then: Sequence[Any], els: Sequence[Any]) -> Any:
        """Send a transaction once; `OutcomeUnknown` where its answer is lost."""
        request = rpc.TxnRequest(compare=compare, success=then, failure=els)
        try:
            return await self._kv[self._at].Txn(request, timeout=self.deadline_s)
        except grpc.aio.AioRpcError as fault:
            self._next()
            raise _named(fault) from fault

    async def read(self, *ops: Any, patience_s: float | None = None) -> Any:
        """Read linearizably in one transaction, retrying at every member until it is answered.

        `patience_s` None waits for ever; else `Unreachable` is raised after so long.
        """
        request = rpc.TxnRequest(success=ops)
        return await self._patiently(
            lambda at: self._kv[at].Txn(request, timeout=self.deadline_s), patience_s
        )

    async def scan(
        self, start: str, end: str, *, limit: int = 0, patience_s: float | None = None
    ) -> list[Pair]:
        """Return the pairs from `start` up to `end`, in the order of their keys."""
        request = rpc.RangeRequest(key=start.encode(), range_end=end.encode(), limit=limit)
        # A scan moves megabytes: the deadline of a single write is not meant for it.
        found = await self._patiently(
            lambda at: self._kv[at].Range(request, timeout=max(self.deadline_s, 5.0)), patience_s
        )
        return [Pair(kv.key.decode(), bytes(kv.value), int(kv.mod_revision)) for kv in found.kvs]

    async def watch(self, start: str, end: str, revision: int) -> AsyncIterator[list[Change]]:
        """Yield the changes of keys from `revision` on; `Unreachable` when the stream breaks."""
        create = rpc.WatchCreateRequest(
            key=start.encode(), range_end=end.encode(), start_revision=revision
        )
        closing = asyncio.Event()

        async def requests() -> AsyncIterator[Any]:
            yield rpc.WatchRequest(create_request=create)
            await closing.wait()

        try:
            async for answer in self._watch[self._at].Watch(requests()):
                if answer.canceled or answer.compact_revision:
                    raise Unreachable(f"watch canceled: {answer.cancel_reason or 'compacted'}")
                if answer.events:
                    yield [_change(event) for event in answer.events]
        except grpc.aio.AioRpcError as fault:
            self._next()
            raise Unreachable(str(_named(fault))) from fault
        finally:
            closing.set()
        raise Unreachable("watch ended")

    async def sizes(self) -> tuple[int, int]:
        """Return the bytes of the member's database, and those of them in use."""
        found = await self._patiently(
            lambda at: self._maintenance[at].Status(
                rpc.StatusRequest(), timeout=max(self.deadline_s, 1.0)
            ),
            5.0,
        )
        return int(found.dbSize), int(found.dbSizeInUse)

    async def compact(self, revision: int) -> None:
        """Forget what keys held before `revision`; a revision already forgotten is fine."""
        try:
            await self._kv[self._at].Compact(
                rpc.CompactionRequest(revision=revision, physical=True), timeout=30.0
            )
        except grpc.aio.AioRpcError as fault:
            if fault.code() is not grpc.StatusCode.OUT_OF_RANGE:
                raise _named(fault) from fault

    async def defragment(self) -> None:
        """Give every member's free pages back, one after another, and clear a full store's alarm.

        A member does not answer while it does this.
        """
        for stub in self._maintenance:
            try:
                await stub.Defragment(rpc.DefragmentRequest(), timeout=60.0)
                await stub.Alarm(
                    rpc.AlarmRequest(action=rpc.AlarmRequest.DEACTIVATE, alarm=rpc.NOSPACE),
                    timeout=5.0,
                )
            except grpc.aio.AioRpcError as fault:
                raise _named(fault) from fault

    def _next(self) -> None:
        self._at = (self._at + 1) % len(self._channels)

    async def _patiently(self, call: Any, patience_s: float | None) -> Any:
        loop = asyncio.get_running_loop()
        until = None if patience_s is None else loop.time() + patience_s
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                return await call(self._at)
            except grpc.aio.AioRpcError as fault:
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


def _named(fault: Any) -> EtcdError:
    # A call whose task was cancelled may end as an error of its own, code CANCELLED.
    heed_cancellation()
    text = f"{fault.code().name}: {fault.details()}"
    if fault.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return NoSpace(text)
    return OutcomeUnknown(text) if fault.code() in _UNKNOWN else EtcdError(text)
