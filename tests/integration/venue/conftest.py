"""A running venue, and a firm that is logged on to it over QuickFIX."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from apps.core.fix import Engine, Event, Pair, Purpose, Received, comp_id
from apps.core.settings import VenueSettings
from tests.support.servers import Process, folder, free_port, wait_for

ORDERS, DROP, DATA = (
    comp_id("a", p) for p in (Purpose.ORDERS, Purpose.DROP_COPY, Purpose.MARKET_DATA)
)
TRANSACT_TIME: Pair = (60, "20200102-15:00:00.000")
PASSWORD = "open sesame"


@dataclass
class RunningVenue:
    """A venue process, and how to reach it."""

    home: Path
    settings: VenueSettings
    process: Process

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.process.start()
        wait_for(self.ready, "the venue")

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        assert self.process.alive, self.process.log()
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str, token: str = "token") -> httpx.Response:
        """Ask its operations endpoint."""
        url = f"http://127.0.0.1:{self.settings.http_port}{path}"
        return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5)


@pytest.fixture
def venue() -> Iterator[RunningVenue]:
    """A venue at replay speed 0, so that its day changes only when a test says so."""
    with folder() as home:
        (home / "token").write_text("token")
        (home / "password").write_text(PASSWORD)
        settings = VenueSettings.of(
            environment="test",
            site="market",
            service="venue",
            http_port=free_port(),
            http_token_file=home / "token",
            fix_port=free_port(),
            fix_password_file=home / "password",
            fix_store=home / "fix",
            record=home / "record.jsonl",
            tape_start="2010-01-04",
            day_s="0",
        )
        process = Process(
            [sys.executable, "-m", "apps.venue"],
            home / "log",
            env={**os.environ, **settings.to_environment()},
        )
        running = RunningVenue(home, settings, process)
        running.start()
        try:
            yield running
        finally:
            process.stop()


@dataclass
class Firm:
    """The firm's side of its sessions, and everything that came in."""

    engine: Engine
    received: list[Received] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Keep a message."""
        if isinstance(event, Received):
            self.received.append(event)

    def of(self, session: str) -> list[Received]:
        """Return what came in on a session."""
        return [message for message in self.received if message.session == session]

    def reports(self, session: str = ORDERS) -> list[tuple[str, str, str]]:
        """Return (ClOrdID, ExecType, ExecID) of every execution report of a session."""
        return [(m.get(11), m.get(150), m.get(17)) for m in self.of(session) if m.msg_type == "8"]

    async def until(self, done: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
        """Wait until something came in."""
        async with asyncio.timeout(timeout_s):
            while not done():
                await asyncio.sleep(0.01)
        assert done(), what

    def order(self, name: str, *more: Pair, qty: int = 10, limit: str = "7.0000") -> bool:
        """Send a limit order in AAPL; IOC unless `more` says otherwise."""
        fields: dict[int, str] = {11: name, 55: "AAPL", 54: "1", 38: str(qty), 40: "2", 59: "3"}
        fields |= {44: limit, **dict(more)}
        return self.engine.send(ORDERS, "D", [*fields.items(), TRANSACT_TIME])


@asynccontextmanager
async def logged_on(
    venue: RunningVenue, store: str = "firm", password: str = PASSWORD
) -> AsyncIterator[Firm]:
    """Log the firm on with all of its sessions."""
    holder: list[Firm] = []
    engine = Engine(
        role="initiator",
        own=[ORDERS, DROP, DATA],
        peers=[venue.settings.fix_venue],
        host="127.0.0.1",
        port=venue.settings.fix_port,
        store=venue.home / store,
        password=password,
        on_event=lambda event: holder[0].take(event),
    )
    firm = Firm(engine)
    holder.append(firm)
    engine.start()
    try:
        yield firm
    finally:
        await asyncio.to_thread(engine.stop)
