"""A small platform of real servers and real processes, driven by its tests over the bus."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg

from apps.core.bus import INTENTS, MD, ORDERS, START, Bus
from apps.core.journal import Journal
from apps.core.messages import (
    Close,
    Decision,
    DecisionDone,
    Fill,
    Intent,
    OrderUpdate,
    Side,
    Stamps,
    TimeInForce,
)
from apps.core.records import JournalRecord
from apps.core.settings import CoreSettings, ExecutionSettings, ProjectorSettings, VenueSettings
from apps.execution.reconcile import Account, Findings, compare, of_books, of_journal, of_venue
from tests.support import servers
from tests.support.apps import App
from tests.support.asking import NO_TLS
from tests.support.servers import Process, free_port, wait_for

ROOT = Path(__file__).resolve().parents[3]
DAY = "2010-01-05"
PRICES = {
    symbol: Decimal(price)
    for symbol, price in (("AAPL", "6.4250"), ("MSFT", "23.5800"), ("GE", "83.8600"))
}
FAR = 2_000_000_000
TOKEN = "token"


@dataclass
class Platform:
    """Addresses and processes of one test's platform."""

    home: Path
    valkey: servers.ValkeyServer
    etcd: servers.EtcdServer
    postgres: servers.PostgresServer | None
    settings: ExecutionSettings
    processes: dict[str, Process] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def record(self) -> Path:
        """The venue's record."""
        return self.home / "record.jsonl"

    def bus(self) -> Bus:
        """Return a client of the bus."""
        return Bus("127.0.0.1", self.valkey.port, self.valkey.password)

    def journal(self) -> Journal:
        """Return a reader of the journal."""
        return Journal.of(self.settings)

    def start(self, name: str) -> Process:
        """Start (again) one of the apps."""
        self.processes[name].start()
        return self.processes[name]

    def ready(self, name: str) -> str:
        """Return what an app's readiness says; empty when it is ready."""
        port = self.ports[name]
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{port}/readyz",
                headers={"Authorization": f"Bearer {TOKEN}"},
                verify=NO_TLS,
            )
        except httpx.TransportError as fault:
            return f"no answer: {fault}"
        return "" if answer.status_code == 200 else str(answer.json()["detail"])

    def until_ready(self, *names: str, timeout_s: float = 30.0) -> None:
        """Wait until apps do their job."""
        for name in names:
            try:
                wait_for(lambda name=name: not self.ready(name), name, timeout_s)  # type: ignore[misc]
            except TimeoutError as late:
                log = self.processes[name].log()[-3_000:]
                raise TimeoutError(f"{late}: {self.ready(name)}\n{log}") from late

    def server(self, name: str) -> Process:
        """Return the process of a server or an app."""
        servers_here = {"etcd": self.etcd.process, "valkey": self.valkey.process}
        if self.postgres is not None:
            servers_here["postgres"] = self.postgres.process
        return servers_here.get(name) or self.processes[name]

    def metric(self, name: str, service: str = "execution") -> float:
        """Return the value of a metric without labels."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.ports[service]}/metrics",
            headers={"Authorization": f"Bearer {TOKEN}"},
            verify=NO_TLS,
        )
        for line in answer.text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise KeyError(name)


def app(
    home: Path, name: str, module: str, settings: CoreSettings, *, ahead: Path | None = None
) -> Process:
    """Return an app as a process; warnings are errors in it, too.

    Modules and distributions of the folder `ahead` are found before all others.
    """
    path = f"{ahead}{os.pathsep}{ROOT}" if ahead else str(ROOT)
    environment = {**os.environ, **settings.to_environment(), "PYTHONPATH": path}
    return App(module, home / f"{name}.log", environment, fork=not ahead)


def venue_settings(home: Path, port: int, http: int) -> VenueSettings:
    """Return the settings of a real venue whose tape stands at `DAY`."""
    tape = home / "tape.csv"
    rows = [f"{DAY},{s},{p}" for s, p in PRICES.items()]
    tape.write_text("date,symbol,close\n" + "\n".join(rows) + "\n")
    return VenueSettings.of(
        environment="test",
        site="market",
        service="venue",
        http_port=http,
        http_token_file=home / "token",
        fix_port=port,
        fix_password_file=home / "fix",
        fix_store=home / "venue-store",
        record=home / "record.jsonl",
        tape=str(tape),
        tape_start=date.fromisoformat(DAY),
        day_s="0",
    )


@contextlib.contextmanager
def platform(
    *,
    books: bool = False,
    trouble: str | None = None,
    journal: Callable[[], AbstractContextManager[servers.EtcdServer]] = servers.etcd,
    books_server: Callable[[], AbstractContextManager[servers.PostgresServer]] = servers.postgres,
    **overrides: Any,
) -> Iterator[Platform]:
    """Run etcd, Valkey, a venue and execution (and PostgreSQL and the projector).

    `trouble` asks for the `FakeVenue` instead of the real one, `journal` for another etcd
    than one of one member, `books_server` for another PostgreSQL than one without TLS.
    """
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(servers.folder())
        (home / "token").write_text(TOKEN)
        (home / "fix").write_text("fix-password")
        valkey = stack.enter_context(servers.valkey())
        etcd = stack.enter_context(journal())
        postgres = stack.enter_context(books_server()) if books else None
        fix_port = free_port()
        ports = {name: free_port() for name in ("venue", "execution", "projector")}
        given = {
            "environment": "test",
            "site": "a",
            "http_token_file": home / "token",
            "journal_endpoints": list(etcd.endpoints),
            "journal_ca_file": etcd.certificates.ca,
            "journal_cert_file": etcd.certificates.client_cert,
            "journal_key_file": etcd.certificates.client_key,
            "journal_archive": home / "archive",
        }
        settings = ExecutionSettings.of(
            **given
            | {
                "service": "execution",
                "http_port": ports["execution"],
                "bus_port": valkey.port,
                "bus_password_file": valkey.password_file,
                "fix_port": fix_port,
                "fix_password_file": home / "fix",
                "fix_store": home / "fix-store",
                "halt_note": home / "halt.json",
                "max_orders_per_s": 100_000,
                "max_position_notional_usd": "100000000",
                "max_gross_notional_usd": "100000000",
            }
            | overrides
        )
        made = Platform(home, valkey, etcd, postgres, settings, ports=ports)
        made.processes["execution"] = app(home, "execution", "apps.execution", settings)
        if trouble is None:
            venue = venue_settings(home, fix_port, ports["venue"])
            made.processes["venue"] = app(home, "venue", "apps.venue", venue)
        else:
            made.processes["venue"] = Process(
                [
                    *(sys.executable, "-m", "tests.integration.execution.fake_venue"),
                    *(str(fix_port), str(home / "venue-store"), str(made.record)),
                    *("fix-password", trouble),
                ],
                home / "venue.log",
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        if postgres is not None:
            made.processes["projector"] = app(
                home,
                "projector",
                "apps.execution.projector",
                ProjectorSettings.of(
                    **given,
                    service="projector",
                    http_port=ports["projector"],
                    db_host="127.0.0.1",
                    db_port=postgres.port,
                    db_password_file=postgres.password_file,
                    db_ca_file=postgres.ca_file,
                ),
            )
        for process in made.processes.values():
            stack.callback(process.stop)
        yield made


async def market(bus: Bus, seq: int = 0, prices: dict[str, Decimal] | None = None) -> None:
    """Publish a day of closes."""
    await bus.publish(
        MD,
        Close(seq=seq, day=DAY, event_ns=1, prices=prices or PRICES, stamps=Stamps(data_in=1)),
    )


def decision(
    number: int,
    *legs: tuple[str, Side, int],
    strategy: str = "test",
    tif: TimeInForce = TimeInForce.IOC,
    expires_seq: int = FAR,
) -> Decision:
    """Return a decision with marketable limit orders."""
    now_ns = time.time_ns()
    return Decision(
        strategy=strategy,
        seq=number,
        day=DAY,
        expires_seq=expires_seq,
        intents=tuple(
            Intent(
                id=f"{strategy}-{number}-{symbol}-{leg}",
                symbol=symbol,
                side=side,
                qty=qty,
                limit=_marketable(PRICES[symbol], side),
                tif=tif,
            )
            for leg, (symbol, side, qty) in enumerate(legs)
        ),
        stamps=Stamps(data_in=now_ns, published=now_ns, decided=now_ns),
    )


def _marketable(price: Decimal, side: Side) -> Decimal:
    tick = Decimal("0.0001")
    factor = Decimal("1.01") if side is Side.BUY else Decimal("0.99")
    return (price * factor / tick).quantize(Decimal(1)) * tick


@dataclass
class Heard:
    """What the bus said about orders."""

    updates: list[OrderUpdate] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    done: dict[str, DecisionDone] = field(default_factory=dict)

    def orders(self) -> dict[str, OrderUpdate]:
        """Return the newest state of every order."""
        return {update.id: update for update in sorted(self.updates, key=lambda u: u.index)}


async def listen(bus: Bus, heard: Heard) -> None:
    """Collect what the bus says, for ever."""
    async for _, message in bus.follow(ORDERS, START):
        match message:
            case OrderUpdate():
                heard.updates.append(message)
            case Fill():
                heard.fills.append(message)
            case DecisionDone():
                heard.done.setdefault(message.decision, message)


async def submit(bus: Bus, decisions: Sequence[Decision]) -> None:
    """Put decisions on the bus."""
    for one in decisions:
        await bus.publish(INTENTS, one)


async def eventually(what: str, holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Poll until something holds, at first often: an app that is asked does nothing else."""
    until, rest_s = time.monotonic() + timeout_s, 0.02
    while not holds():
        assert time.monotonic() < until, f"not in {timeout_s} s: {what}"
        await asyncio.sleep(rest_s)
        rest_s = min(rest_s * 1.1, 0.1)


@contextlib.asynccontextmanager
async def hearing(running: Platform) -> AsyncIterator[tuple[Bus, Heard]]:
    """Yield a bus and what is heard on it meanwhile."""
    bus, ears, heard = running.bus(), running.bus(), Heard()
    task = asyncio.create_task(listen(ears, heard))
    try:
        yield bus, heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await bus.close()
        await ears.close()


async def records(running: Platform) -> list[JournalRecord]:
    """Return everything that is journaled."""
    async with running.journal() as journal:
        tail, found = await journal.tail(), list[JournalRecord]()
        while len(found) < tail:
            for batch in await journal.read(len(found), tail):
                found += batch.records
        return found


def connect(running: Platform) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection to the books."""
    assert running.postgres is not None
    return psycopg.connect(running.postgres.dsn, autocommit=True)


async def level(running: Platform) -> None:
    """Wait until the books hold everything that is journaled."""
    async with running.journal() as journal:
        tail = await journal.tail()

    def caught_up() -> bool:
        with connect(running) as books:
            row = books.execute("SELECT index FROM journal_position").fetchone()
        return row is not None and int(row[0]) >= tail

    running.until_ready("projector")
    await eventually("the books are level", caught_up)


async def reconciled(running: Platform) -> dict[str, Findings]:
    """Return what the venue's record, the journal and the books disagree about."""
    venue = of_venue(running.record.read_bytes().splitlines())
    accounts = [of_journal(await records(running))]
    if running.postgres is not None:
        with connect(running) as books:
            accounts.append(_books(books))
    capital_usd = running.settings.capital_usd
    return {a.name: compare(venue, a, capital_usd=capital_usd) for a in accounts}


def _books(connection: psycopg.Connection[tuple[Any, ...]]) -> Account:
    def rows(query: LiteralString) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    return of_books(
        orders=[(o, s) for o, s in rows("SELECT id, state FROM orders")],
        fills=[
            (day.isoformat(), *rest)
            for day, *rest in rows(
                "SELECT day, exec_id, side, order_id, symbol, qty, price FROM fills"
            )
        ],
        positions=[(s, q) for s, q in rows("SELECT symbol, qty FROM positions")],
        cash=rows("SELECT usd FROM cash")[0][0],
    )
