"""The venue's front door under `second_logon: evict`: a newer logon puts out the older.

QuickFIX closes a second connection of a session before its Logon reaches a callback, and
offers no safe way to drop the first one from another thread. So connections come in here,
and go on to the engine on a port of its own. At a Logon of a session that has a connection
the older one is told (Logout), its socket is closed on this side, and the newer Logon is
handed to the engine only after the engine itself has closed the older connection: whatever
it still took from that one was handled before, and nothing comes after. A frozen client is
not asked for anything, so its eviction takes no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from apps.core.fix_messages import parse
from apps.venue import metrics

log = structlog.get_logger()

LOGON_S = 10.0
"""How long a new connection may take to say its Logon."""
CLOSE_S = 5.0
"""How long the engine may take to close a connection that was cut; it takes milliseconds."""
EVICTED = "logged on elsewhere"
"""The text (58) of an evicted session's Logout."""
_CHUNK = 1 << 16
_CHECKSUM = b"\x0110="
_FAULTS = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def cut(self) -> None:
        """Close at once: what a peer that does not read has not taken is given up."""
        if self.writer.transport.get_write_buffer_size():
            self.writer.transport.abort()
        else:
            self.writer.close()


class Link:
    """A client's connection and the engine's, joined."""

    def __init__(self, client: End, engine: End) -> None:
        """Join both ends; `carry` moves what comes."""
        self._client, self._engine = client, engine
        self._closed = asyncio.Event()
        self._evicted = asyncio.Event()

    async def carry(self, first: bytes) -> None:
        """Hand on the first message, then all that comes, until either end is closed."""
        self._engine.writer.write(first)
        work: set[asyncio.Task[object]] = {
            asyncio.create_task(_pump(self._client.reader, self._engine.writer)),
            asyncio.create_task(_pump(self._engine.reader, self._client.writer)),
            asyncio.create_task(self._evicted.wait()),
        }
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.wait(work)
            await self._let_go()
            for end in (self._client, self._engine):
                end.cut()
            self._closed.set()

    async def evict(self) -> None:
        """Cut the client and return when the engine has let go; TimeoutError if it does not."""
        self._evicted.set()
        async with asyncio.timeout(2 * CLOSE_S):
            await self._closed.wait()

    async def _let_go(self) -> None:
        """End the engine's connection and wait until the engine has closed it, too."""
        with contextlib.suppress(*_FAULTS):
            self._engine.writer.write_eof()
            async with asyncio.timeout(CLOSE_S):
                while rest := await self._engine.reader.read(_CHUNK):
                    self._client.writer.write(rest)  # the Logout, for a client that reads


class Front:
    """Accepts connections for an engine that listens at `engine`."""

    def __init__(
        self,
        *,
        sessions: Collection[str],
        password: str,
        engine: tuple[str, int],
        log_out: Callable[[str, str], None],
    ) -> None:
        """Know who may log on; `log_out(session, text)` has the engine send a Logout."""
        self._sessions, self._password = frozenset(sessions), password
        self._at, self._log_out = engine, log_out
        self._links: dict[str, Link] = {}
        self._turn: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError where the port is taken."""
        self._server = await asyncio.start_server(self._connected, host, port)

    def stop(self) -> None:
        """Accept no more; connections end with the engine's."""
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = End(reader, writer)
        try:
            async with asyncio.timeout(LOGON_S):
                first = await _message(reader)
            await self._admit(client, first)
        except _FAULTS as fault:  # the probe of readiness, too, leaves without a word
            log.debug("connection ended", reason=str(fault))
        finally:
            client.cut()

    async def _admit(self, client: End, first: bytes) -> None:
        session = self._entitled(first)
        if session is None:  # the engine refuses it, and it puts nobody out
            await Link(client, await self._dial()).carry(first)
            return
        async with self._turn[session]:
            older = self._links.get(session)
            if older is not None:
                self._log_out(session, EVICTED)
                try:
                    await older.evict()
                except TimeoutError:
                    log.error("not evicted: the engine holds on to it", session=session)
                    return
                metrics.EVICTED.labels(session).inc()
                log.warning("evicted by a second logon", session=session)
            link = self._links[session] = Link(client, await self._dial())
        try:
            await link.carry(first)
        finally:
            if self._links[session] is link:
                del self._links[session]

    def _entitled(self, first: bytes) -> str | None:
        """Return the session of a Logon that bears the password."""
        try:
            fields = dict(reversed(parse(first.decode("ascii"))))
        except ValueError:
            return None
        session, given = fields.get(49, ""), fields.get(554, "")
        known = hmac.compare_digest(given.encode(), self._password.encode())
        return session if known and fields.get(35) == "A" and session in self._sessions else None

    async def _dial(self) -> End:
        return End(*await asyncio.open_connection(*self._at))


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return the first FIX message of a connection, as it came."""
    head = await reader.readuntil(_CHECKSUM)
    return head + await reader.readuntil(b"\x01")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
