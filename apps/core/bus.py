"""The bus of a site: Valkey streams, and keys for what a newcomer needs at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, cast

from valkey.asyncio import Connection, ConnectionPool, Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import ExponentialBackoff
from valkey.exceptions import ConnectionError as BusDown
from valkey.exceptions import ResponseError
from valkey.exceptions import TimeoutError as BusSlow
from valkey.typing import EncodableT

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
    "Moved",
]


_APPEND = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local top = newest and newest[1] or ARGV[1]
if top ~= ARGV[2] then return top end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], ARGV[4], 'm', ARGV[5])
return ARGV[4]
"""
_TELL = """
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2]) end
for at = 3, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'm', ARGV[at]) end
"""


class Moved(Exception):
    """The stream ends elsewhere than the caller thought: at `newest`. Nothing was appended."""

    def __init__(self, stream: str, newest: str) -> None:
        """Say of which stream."""
        super().__init__(f"{stream} is at {newest}")
        self.newest = newest


class _Connection(Connection):
    """Sends under `asyncio.timeout`, where the library takes `asyncio.wait_for`.

    Before Python 3.12 that loses a cancellation which comes at the moment when the sending
    is done, so that the task goes on for ever; and it makes a task of every sending.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send commands, connecting first where that is needed."""
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]
        if isinstance(command, str):
            command = command.encode()
        parts = [command] if isinstance(command, bytes) else command
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command(parts)
        except TimeoutError as fault:
            await self.disconnect(nowait=True)
            raise BusSlow("the bus takes no more") from fault
        except OSError as fault:
            await self.disconnect(nowait=True)
            raise BusDown(str(fault)) from fault
        except BaseException:
            await self.disconnect(nowait=True)  # half a command may be sent
            raise


class _Client(Valkey):
    """Does several commands in one round trip, on the one connection of its one caller."""

    async def together(self, *commands: tuple[EncodableT, ...]) -> list[Any]:
        """Return the answers to commands, of which all but the first answer at once."""
        await self.initialize()
        connection = self.connection
        assert connection is not None  # noqa: S101 - who calls has asked for a single one
        async with self._single_conn_lock:
            found: list[Any] = await connection.retry.call_with_retry(
                lambda: self._exchange(connection, commands),
                lambda fault: self._disconnect_raise(connection, fault),
            )
        return found

    async def _exchange(
        self, connection: Connection, commands: tuple[tuple[EncodableT, ...], ...]
    ) -> list[Any]:
        await connection.send_packed_command(connection.pack_commands(commands))
        answers: list[Any] = []
        for command in commands:
            try:
                answers.append(await self.parse_response(connection, str(command[0])))
            except ResponseError as refused:  # the others' answers follow it all the same
                answers.append(refused)
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers


class Bus:
    """A client of the bus; every call is bounded in time and retried three times."""

    def __init__(self, host: str, port: int, password: str, *, one_caller: bool = False) -> None:
        """Prepare a client; it connects on first use and again after a loss.

        With `one_caller` all calls share one connection, one after the other, which is not
        looked at before each of them: that takes a fifth of the time of a call, on the path
        of every order.
        """
        pool = ConnectionPool(
            _Connection,
            host=host,
            port=port,
            password=password,
            socket_connect_timeout=1.0,
            socket_timeout=10.0,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.01), 3),
            retry_on_error=[BusDown, BusSlow],
        )
        self.client = _Client(connection_pool=pool, single_connection_client=one_caller)
        self.client.auto_close_connection_pool = True

    @classmethod
    def of(cls, settings: BusSettings, *, one_caller: bool = False) -> Bus:
        """Return the bus that the settings name."""
        password = Path(settings.bus_password_file).read_text().strip()
        return cls(settings.bus_host, settings.bus_port, password, one_caller=one_caller)

    async def publish(self, stream: str, message: BusMessage) -> str:
        """Append a message to a stream; returns its id."""
        given = await self.client.xadd(
            stream, {b"m": encode(message)}, maxlen=KEPT[stream], approximate=True
        )
        return _text(given)

    async def append(self, stream: str, message: BusMessage, *, behind: str, entry: str) -> None:
        """Append a message under an id, directly behind the entry that the caller names.

        `behind` is `START` for an empty stream. Raises `Moved` where the stream ends
        elsewhere: it lost its data, or another writes to it. The bus compares and appends
        in one step, and a retry after a lost answer finds its own entry.
        """
        words: list[Any] = [stream, START, behind, KEPT[stream], entry, encode(message)]
        newest = _text(await cast("Any", self.client.eval(_APPEND, 1, *words)))
        if newest != entry:
            raise Moved(stream, newest)

    async def tell(
        self, stream: str, messages: Iterable[BusMessage], *, key: str, held: BusMessage | None
    ) -> None:
        """Write a key, where it is to hold something else, and append messages to a stream.

        One command for all of it: as commands of their own they take ten times as long here.
        """
        told = b"" if held is None else encode(held)
        words: list[Any] = [stream, key, KEPT[stream], told, *map(encode, messages)]
        await cast("Any", self.client.eval(_TELL, 2, *words))

    async def read(
        self, stream: str, after: str, *, block_ms: int = 1_000, count: int = 500
    ) -> list[tuple[str, BusMessage]]:
        """Return the messages after an id, waiting up to `block_ms` for the first."""
        answer = await self.client.xread({stream: after}, count=count, block=block_ms)
        return _messages(answer[0][1]) if answer else []

    async def read_with(
        self, stream: str, after: str, key: str, *, block_ms: int = 1_000, count: int = 500
    ) -> tuple[list[tuple[str, BusMessage]], BusMessage | None]:
        """Return the messages after an id, as `read` does, and what a key held right then.

        One round trip for both, for a client of one caller.
        """
        answer, held = await self.client.together(
            ("XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", stream, after),
            ("GET", key),
        )
        found = _messages(answer[0][1]) if answer else []
        return found, None if held is None else decode(held)

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
        return _messages(found)

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


def _messages(entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> list[tuple[str, BusMessage]]:
    return [(_text(entry), decode(fields[b"m"])) for entry, fields in entries]


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
