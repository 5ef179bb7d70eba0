"""Links between the sites' execution apps: each says that its process is there, and the time.

The kernel closes a process's connections the moment it dies, which is sooner than any
heartbeat could be missed. A link that is up proves nothing: a frozen process keeps it.
The time is asked for once a second, so that clocks which differ are seen before a handover.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Callable
from pathlib import Path

import structlog

from apps.core import clock
from apps.core.clock import Clock, utc_ns
from apps.core.settings import ExecutionSettings
from apps.execution import metrics

log = structlog.get_logger()

HELLO_S = 1.0
RETRY_S = 0.1
LONGEST_LINE = 256
TIME_EVERY_S = 1.0
SLOW_S = 0.05
"""An answer that took longer says too little of the time."""
TIME = b"time"


class Peers:
    """Listens for the apps of the other sites, and keeps a link to each of them."""

    def __init__(
        self,
        settings: ExecutionSettings,
        changed: Callable[[str, bool], None],
        clock: Clock = utc_ns,
    ) -> None:
        """Prepare; `changed` hears of each site whose link opens or closes."""
        self._settings = settings
        self._changed = changed
        self._utc_ns = clock
        self._asked: dict[str, tuple[int, float]] = {}
        self._token = Path(settings.http_token_file).read_text().strip()

    async def run(self) -> None:
        """Listen and keep the links, for ever."""
        settings = self._settings
        if settings.peer_port is None:
            return
        server = await asyncio.start_server(
            self._accepted, settings.peer_host or "127.0.0.1", settings.peer_port
        )
        async with server, asyncio.TaskGroup() as group:
            for site, endpoint in settings.peers.items():
                group.create_task(self._keep(site, endpoint))

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer who we are to who knows the token, and hold the connection."""
        try:
            async with asyncio.timeout(HELLO_S):
                said = await reader.readline()
            if not hmac.compare_digest(said.strip(), self._token.encode()):
                log.warning("peer link refused", reason="wrong token")
                return
            writer.write(f"{self._settings.site}\n".encode())
            while line := await reader.readline():
                if line.strip() == TIME:
                    writer.write(b"%s %d\n" % (TIME, self._utc_ns()))
        except (TimeoutError, OSError, ValueError):
            pass
        finally:
            writer.close()

    async def _keep(self, site: str, endpoint: str) -> None:
        host, _, port = endpoint.rpartition(":")
        while True:
            with contextlib.suppress(OSError, TimeoutError, ValueError):
                await self._hold(site, host, int(port))
            await asyncio.sleep(RETRY_S)

    async def _hold(self, site: str, host: str, port: int) -> None:
        async with asyncio.timeout(HELLO_S):
            reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"{self._token}\n".encode())
            async with asyncio.timeout(HELLO_S):
                there = await reader.readline()
            if there.decode().strip() != site:
                return
            self._changed(site, True)
            asking = asyncio.create_task(self._ask_time(site, writer))
            try:
                while line := await reader.readline():
                    self._told_time(site, line)
            finally:
                asking.cancel()
                self._changed(site, False)
        finally:
            writer.close()

    # The time

    async def _ask_time(self, site: str, writer: asyncio.StreamWriter) -> None:
        while True:
            self._asked[site] = self._utc_ns(), clock.monotonic()
            writer.write(TIME + b"\n")
            await asyncio.sleep(TIME_EVERY_S)

    def _told_time(self, site: str, line: bytes) -> None:
        """Take note of another site's clock, unless the answer took long."""
        word, _, told_ns = line.strip().partition(b" ")
        asked_ns, asked_at = self._asked[site]
        took_s = clock.monotonic() - asked_at
        if word == TIME and took_s <= SLOW_S:
            ahead_s = (int(told_ns) - asked_ns) / 1e9 - took_s / 2
            metrics.CLOCK_OFFSET.labels(site).set(ahead_s)
