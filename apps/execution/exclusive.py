"""The one order session that a venue grants to all sites: held by who leads, and only then.

Each connection is an engine of its own that dials once: before every one leadership is
proven by a write to the journal, so that a deposed site does not put its successor out. Its
outbound numbers go on beyond those of the site that held the session before; its inbound
ones come from the journal. What lies between is closed by the session layer (ResendRequest
and gap fill), and an order sent before that is over would be part of the gap: so the session
counts as logged on once a first question on it was answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from apps.core.fix import Engine, Event, Logon, Logout, Pair, Received
from apps.core.instruments import TEST_SYMBOL

log = structlog.get_logger()

STRIDE = 100_000
"""More messages than a site can send after it described itself last."""
LOGON_WITHIN_S = 3.0
"""How long a connection may take until its first question is answered."""
AGAIN_S = 0.2
"""How soon the next one is tried."""
CLOSE_S = 3.0
"""How long the process waits for a connection to end as it ends itself."""


class Exclusive:
    """Holds the session while it is told to."""

    def __init__(
        self,
        session: str,
        engine: Callable[[Callable[[Event], None]], Engine],
        put: Callable[[Event], None],
    ) -> None:
        """Prepare; `engine` makes an engine for one connection, `put` takes its events."""
        self.session = session
        self.outbound = 0
        """The number that the next message will bear, as far as this site knows."""
        self._make = engine
        self._put = put
        self._engine: Engine | None = None
        self._up = False
        self._changed = asyncio.Event()
        self._ended = False
        self._expecting = 0
        self._connections = 0
        self._closing: threading.Thread | None = None

    @property
    def logged_on(self) -> bool:
        """Whether the session can carry a request now."""
        return self._up and self._engine is not None and self._engine.logged_on(self.session)

    def send(self, msg_type: str, pairs: list[Pair]) -> bool:
        """Write a message; False where the session is not held or not logged on."""
        return self.logged_on and self._write(msg_type, pairs)

    def _write(self, msg_type: str, pairs: list[Pair]) -> bool:
        engine = self._engine
        if engine is None or not engine.send(self.session, msg_type, pairs):
            return False
        self.outbound = engine.next_outbound(self.session)
        return True

    async def hold(
        self,
        leads: Callable[[], Awaitable[bool]],
        inbound: Callable[[], int],
        others: Callable[[], Awaitable[int]],
    ) -> None:
        """Log on, and again after every loss, until this is cancelled.

        `leads` proves leadership, or raises; `inbound` returns the last journaled number;
        `others` the outbound number of whichever other site held the session.
        """
        above = await others()
        while True:
            if await leads():
                await self._closed()
                try:
                    self._open(above, inbound() + 1)
                    await self._until_over()
                finally:
                    self._close()
                if self._expecting:
                    log.warning("the venue expects a higher number", expecting=self._expecting)
            await asyncio.sleep(AGAIN_S)

    def _open(self, above: int, inbound: int) -> None:
        self._connections += 1
        number = self._connections
        self._changed.clear()
        self._ended = False
        engine = self._make(lambda event: self._heard(number, event))
        outbound = max(engine.next_outbound(self.session), self._expecting)
        if above >= outbound:
            outbound = above + STRIDE
        engine.skip_to(self.session, outbound)
        engine.expect(self.session, inbound)
        self._expecting, self.outbound, self._engine = 0, outbound, engine
        engine.start()

    async def _until_over(self) -> None:
        """Wait until the connection is gone, or is not of use in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOGON_WITHIN_S):
                while not (self._up or self._ended):
                    await self._change()
        while self._up and not self._ended:
            await self._change()

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _heard(self, number: int, event: Event) -> None:
        if number != self._connections or self._engine is None:
            return  # of a connection that was given up
        match event:
            case Logon():
                self._write("H", [(11, self._question), (54, "1"), (55, TEST_SYMBOL)])
            case Logout():
                self._expecting = event.expecting
                self._ended = True
                self._changed.set()
            case Received() if self.is_answer(event):
                if not self._up:
                    self._up = True
                    self._changed.set()
                    self._put(Logon(self.session))
            case Received():
                self._put(event)

    @property
    def _question(self) -> str:
        return f"{self.session}.logon.{self._connections}"

    def is_answer(self, message: Received) -> bool:
        """Whether a message answers a first question, of this connection or a former one."""
        about = message.get(11) or message.get(379)
        return about.startswith(f"{self.session}.logon.")

    # Letting go

    def _close(self) -> None:
        """Log out; the engine's threads end beside the loop."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        if self._up:
            self._up = False
            self._put(Logout(self.session))

        def stop(engine: Any = engine) -> None:
            engine.log_out(self.session, "this site does not lead")
            engine.stop()
            engine.forget()

        self._closing = threading.Thread(target=stop, name="log out", daemon=True)
        self._closing.start()

    async def _closed(self) -> None:
        while self._closing is not None and self._closing.is_alive():
            await asyncio.sleep(0.01)

    def join(self) -> None:
        """Wait, as the process ends, until the venue was told."""
        if self._closing is not None:
            self._closing.join(CLOSE_S)
