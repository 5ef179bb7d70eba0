"""One site for tests: real Valkey, PostgreSQL, venue, data and strategy processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
from valkey import Valkey

from apps.core.bus import INTENTS, MD, PORTFOLIO, START, Bus, BusDown
from apps.core.messages import (
    BusMessage,
    Close,
    Decision,
    DecisionDone,
    Portfolio,
    Side,
    decode,
)
from apps.core.settings import CoreSettings, DataSettings, StrategySettings, VenueSettings
from tests.support.apps import App
from tests.support.asking import NO_TLS
from tests.support.servers import (
    PostgresServer,
    Process,
    ValkeyServer,
    folder,
    free_port,
    postgres,
    valkey,
    wait_for,
)

TOKEN = "test-token"
START_DAY = date(2010, 1, 4)
REPOSITORY = Path(__file__).parents[3]


class Site:
    """The servers of a site, and its apps as processes that can be killed."""

    def __init__(
        self, home: Path, bus: ValkeyServer, books: PostgresServer, *, name: str = "a"
    ) -> None:
        """Prepare; apps start by name."""
        self.home, self.bus_server, self.books_server, self.name = home, bus, books, name
        self.ports = {name: free_port() for name in ("venue", "data", "strategy", "fix")}
        self.token_file = home / "token"
        self.token_file.write_text(TOKEN)
        self.fix_password = home / "fix"
        self.fix_password.write_text(secrets.token_hex(8))
        self.apps: dict[str, Process] = {}

    def _core(self, service: str) -> dict[str, object]:
        return {
            "environment": "test",
            "site": self.name,
            "service": service,
            "http_port": self.ports[service],
            "http_token_file": self.token_file,
        }

    def _bus(self) -> dict[str, object]:
        return {
            "bus_port": self.bus_server.port,
            "bus_password_file": self.bus_server.password_file,
        }

    def _books(self) -> dict[str, object]:
        return {
            "db_host": "127.0.0.1",
            "db_port": self.books_server.port,
            "db_password_file": self.books_server.password_file,
        }

    def _fix(self, service: str) -> dict[str, object]:
        return {
            "fix_port": self.ports["fix"],
            "fix_password_file": self.fix_password,
            "fix_store": self.home / f"{service}-fix",
        }

    def venue_settings(self, **more: object) -> VenueSettings:
        """Return the venue's settings."""
        return VenueSettings.of(
            **self._core("venue"),
            **self._fix("venue"),
            **{"record": self.home / "record.jsonl", "tape_start": START_DAY, **more},
        )

    def data_settings(self, **more: object) -> DataSettings:
        """Return the data app's settings."""
        return DataSettings.of(
            **self._core("data"),
            **self._bus(),
            **self._books(),
            **self._fix("data"),
            **{"history_until": START_DAY, **more},
        )

    def strategy_settings(self, **more: object) -> StrategySettings:
        """Return the strategy's settings."""
        return StrategySettings.of(**self._core("strategy"), **self._bus(), **self._books(), **more)

    def start(self, service: str, settings: CoreSettings) -> Process:
        """Start an app as a process."""
        environment = {"PATH": os.environ["PATH"], **settings.to_environment()}
        process = App(f"apps.{service}", self.home / f"{service}.log", environment)
        process.start()
        self.apps[service] = process
        return process

    def ask(self, service: str, path: str, **body: str) -> httpx.Response:
        """Ask an app's operations endpoint; POST where there is a body."""
        url = f"http://127.0.0.1:{self.ports[service]}{path}"
        headers = {"authorization": f"Bearer {TOKEN}"}
        if body:
            return httpx.post(url, json=body, headers=headers, timeout=5, verify=NO_TLS)
        return httpx.get(url, headers=headers, timeout=5, verify=NO_TLS)

    def ready(self, service: str) -> bool:
        """Return whether an app says that it does its job."""
        assert self.apps[service].alive, self.apps[service].log()
        with contextlib.suppress(httpx.TransportError):
            return self.ask(service, "/readyz").status_code == 200
        return False

    def wait_ready(self, *services: str, timeout_s: float = 30.0) -> None:
        """Wait until apps do their job."""
        for service in services:
            with self.explained(service):
                wait_for(lambda service=service: self.ready(service), service, timeout_s)  # type: ignore[misc]

    @contextlib.contextmanager
    def explained(self, *services: str) -> Iterator[None]:
        """Add the logs of apps to a timeout."""
        try:
            yield
        except TimeoutError as fault:
            logs = "\n".join(self.apps[service].log()[-4_000:] for service in services)
            raise TimeoutError(f"{fault}\n{logs}") from fault

    def metric(self, service: str, line: str) -> float:
        """Return the value of a metric by its name with labels; 0 where it is not there."""
        for row in self.ask(service, "/metrics").text.splitlines():
            name, _, value = row.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0

    def books(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection to PostgreSQL."""
        return psycopg.connect(self.books_server.dsn, autocommit=True)

    def query(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.books() as connection:
            return connection.execute(text.encode(), values).fetchall()

    def valkey(self) -> Any:
        """Return a client of the bus."""
        return Valkey(port=self.bus_server.port, password=self.bus_server.password)

    def stream(self, name: str) -> list[tuple[str, BusMessage]]:
        """Return a whole stream."""
        client = self.valkey()
        try:
            return [(i.decode(), decode(fields[b"m"])) for i, fields in client.xrange(name)]
        finally:
            client.close()

    def closes(self) -> list[tuple[str, Close]]:
        """Return the closes on the bus."""
        return [(i, m) for i, m in self.stream(MD) if isinstance(m, Close)]

    def decisions(self) -> list[Decision]:
        """Return the decisions on the bus, probes aside."""
        return [m for _, m in self.stream(INTENTS) if isinstance(m, Decision) and not m.probe]

    def stop(self) -> None:
        """End every app."""
        for process in self.apps.values():
            if process.alive:
                process.kill()


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Run the servers of a site; its apps end with it."""
    with folder() as home, valkey() as bus, postgres() as books:
        made = Site(home, bus, books)
        try:
            yield made
        finally:
            made.stop()


class FakeExecution:
    """Stands in for the execution app: takes decisions from the bus and fills all at the limit.

    It keeps what the contract asks: the portfolio key after every change, a decision done
    once, and a decision of a known id is a no-op.
    """

    def __init__(self, server: ValkeyServer, capital: Decimal = Decimal(1_000_000)) -> None:
        """Prepare; `run` follows the bus."""
        self._server = server
        self.portfolio = Portfolio(
            index=0, cash=capital, positions={}, open_qty={}, last_decision={}, halted=False
        )
        self.taken: dict[str, Decision] = {}
        self.stopped = False

    async def run(self) -> None:
        """Follow the bus until stopped."""
        bus = Bus("127.0.0.1", self._server.port, self._server.password)
        cursor = START
        try:
            while not self.stopped:
                try:
                    await bus.put(PORTFOLIO, self.portfolio)
                    for entry, message in await bus.read(INTENTS, cursor, block_ms=200):
                        cursor = entry
                        if isinstance(message, Decision) and message.id not in self.taken:
                            await self._take(bus, message)
                except BusDown:
                    await asyncio.sleep(0.05)
        finally:
            await bus.close()

    async def _take(self, bus: Bus, decision: Decision) -> None:
        self.taken[decision.id] = decision
        before = self.portfolio
        cash, positions = before.cash, dict(before.positions)
        for intent in () if decision.probe else decision.intents:
            assert intent.limit is not None
            sign = 1 if intent.side is Side.BUY else -1
            positions[intent.symbol] = positions.get(intent.symbol, 0) + sign * intent.qty
            cash -= sign * intent.qty * intent.limit
        last = before.last_decision
        if not decision.probe:
            last = {**last, decision.strategy: decision.seq}
        self.portfolio = Portfolio(
            index=before.index + 1,
            cash=cash,
            positions={name: qty for name, qty in positions.items() if qty},
            open_qty={},
            last_decision=last,
            halted=False,
        )
        await bus.put(PORTFOLIO, self.portfolio)
        await bus.publish(
            "orders",
            DecisionDone(index=self.portfolio.index, decision=decision.id, seq=decision.seq),
        )
