"""The bus of a site: Valkey streams, and keys for what a newcomer needs at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

from valkey.asyncio import Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import ExponentialBackoff
from valkey.exceptions import ConnectionError as BusDown
from valkey.exceptions import ResponseError
from valkey.exceptions import TimeoutError as BusSlow

from apps.core.cancelling import heed_cancellation
from apps.core.messages import BusMessage, decode, encode
from apps.core.settings import BusSettings

MD = "md"
INTENTS = "intents"
ORDERS = "orders"
PORTFOLIO = "portfolio"

KEPT = {MD: 20_000, INTENTS: 200_000, ORDERS: 200_000}
"""About how many messages each stream keeps; PostgreSQL and the journal keep everything."""

START = "0-0"

__all__ = [
    "INTENTS",
    "KEPT",
    "MD",
    "ORDERS",
    "PORTFOLIO",
    "START",
    "Bus",
    "BusDown",
    "BusSlow",
    "Superseded",
]


class Superseded(Exception):
    """The stream has an entry of this id or a later one: the message is there, or too late."""


class _Client(Valkey):
    """Heeds a cancellation that the library swallowed.

    It sends by `asyncio.wait_for`, which before Python 3.12 loses a cancellation that
    comes at the moment when the sending is done: the task then goes on for ever.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Do one command."""
        answer = await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        heed_cancellation()
        return answer


class Bus:
    """A client of the bus; every call is bounded in time and retried three times."""

    def __init__(self, host: str, port: int, password: str, *, one_caller: bool = False) -> None:
        """Prepare a client; it connects on first use and again after a loss.

        With `one_caller` all calls share one connection, one after the other, which is not
        looked at before each of them: that takes a fifth of the time of a call, on the path
        of every order.
        """
        self.client = _Client(
            host=host,
            port=port,
            password=password,
            socket_connect_timeout=1.0,
            socket_timeout=10.0,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.01), 3),
            retry_on_error=[BusDown, BusSlow],
            single_connection_client=one_caller,
        )

    @classmethod
    def of(cls, settings: BusSettings, *, one_caller: bool = False) -> Bus:
        """Return the bus that the settings name."""
        password = Path(settings.bus_password_file).read_text().strip()
        return cls(settings.bus_host, settings.bus_port, password, one_caller=one_caller)

    async def publish(self, stream: str, message: BusMessage, *, entry: str = "*") -> str:
        """Append a message to a stream, under an id of the caller's where one is given.

        Returns the id. Raises `Superseded` where the stream already has that id or a later.
        """
        try:
            given = await self.client.xadd(
                stream, {b"m": encode(message)}, id=entry, maxlen=KEPT[stream], approximate=True
            )
        except ResponseError as fault:
            if "equal or smaller" in str(fault):
                raise Superseded(f"{stream} is at {entry} or beyond") from fault
            raise
        return _text(given)

    async def read(
        self, stream: str, after: str, *, block_ms: int = 1_000, count: int = 500
    ) -> list[tuple[str, BusMessage]]:
        """Return the messages after an id, waiting up to `block_ms` for the first."""
        answer = await self.client.xread({stream: after}, count=count, block=block_ms)
        if not answer:
            return []
        return [(_text(entry), decode(fields[b"m"])) for entry, fields in answer[0][1]]

    async def follow(self, stream: str, after: str) -> AsyncIterator[tuple[str, BusMessage]]:
        """Yield the messages after an id, for ever; survives a restart of the bus."""
        while True:
            try:
                batch = await self.read(stream, after)
            except (BusDown, BusSlow):
                continue
            for after, message in batch:
                yield after, message

    async def last(self, stream: str) -> tuple[str, BusMessage] | None:
        """Return the newest message of a stream."""
        newest = await self.client.xrevrange(stream, count=1)
        if not newest:
            return None
        entry, fields = newest[0]
        return _text(entry), decode(fields[b"m"])

    async def back(
        self, stream: str, *, before: str = "+", count: int = 500
    ) -> list[tuple[str, BusMessage]]:
        """Return the newest messages of a stream, newest first.

        `before` is an id to start at, or behind which to start: `(ID`.
        """
        found = await self.client.xrevrange(stream, max=before, count=count)
        return [(_text(entry), decode(fields[b"m"])) for entry, fields in found]

    async def put(self, key: str, message: BusMessage) -> None:
        """Write a key."""
        await self.client.set(key, encode(message))

    async def get(self, key: str) -> BusMessage | None:
        """Return what a key holds."""
        raw = cast("bytes | None", await self.client.get(key))
        return None if raw is None else decode(raw)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
