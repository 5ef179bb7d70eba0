"""A small firm for the desk to show: its books in PostgreSQL, its messages on the bus.

It writes what the data app, the execution app and the projector write, with its own
hands, so that a test can stop any of them at any point.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import httpx
import psycopg
from valkey import Valkey

from apps.core import bus
from apps.core.messages import (
    BusMessage,
    Close,
    DecisionDone,
    Fill,
    OrderState,
    OrderUpdate,
    Portfolio,
    Side,
    Stamps,
    encode,
)
from apps.core.settings import DeskSettings
from apps.data import schema as data_tables
from apps.execution import books as books_tables
from tests.support.apps import App
from tests.support.asking import NO_TLS
from tests.support.servers import (
    PostgresServer,
    Process,
    ValkeyServer,
    folder,
    free_port,
    wait_for,
)

CAPITAL = Decimal("1000000")
SYMBOLS = ("AAPL", "AMD", "BAC", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY", "MRK", "MSFT")
FIRST_DAY = date(2010, 1, 4)
HISTORY = 5_000
"""The market-data sequence of the first live day."""

YEARS = range(2009, 2013)


class Firm:
    """Trades by the test's command; `projecting` off leaves its trades to the bus alone."""

    def __init__(self, sql: PostgresServer, valkey: ValkeyServer, *, seed: int = 7) -> None:
        """Make a database with the tables, and a history before the first live day."""
        self.database = f"firm_{secrets.token_hex(4)}"
        with psycopg.connect(sql.dsn, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {self.database}".encode())
        self.dsn = sql.dsn.replace("dbname=trading", f"dbname={self.database}")
        self._random = random.Random(seed)
        self.client = Valkey(port=valkey.port, password=valkey.password)
        self.prices = {
            s: Decimal(self._random.randrange(20_0000, 90_0000)) / 10_000 for s in SYMBOLS
        }
        self.cash, self.held = CAPITAL, dict.fromkeys(SYMBOLS, 0)
        self.seq, self.day = HISTORY - 1, FIRST_DAY - timedelta(days=3)
        self.index = 0
        self.halted = False
        self.leader, self.epoch = "a", 3
        with psycopg.connect(self.dsn) as books:
            for step in (
                *data_tables.STEPS,
                *map(data_tables.partition, YEARS),
                *books_tables.STEPS,
            ):
                books.execute(step)
            for back in range(5, 0, -1):
                self._store(books, HISTORY - back, FIRST_DAY - timedelta(days=back))

    def close(self, *, published: bool = True, stored: bool = True) -> None:
        """Let one day pass."""
        self.seq += 1
        self.day = FIRST_DAY if self.seq == HISTORY else self.day + timedelta(days=1)
        while self.day.weekday() > 4:
            self.day += timedelta(days=1)
        for symbol, price in self.prices.items():
            move = Decimal(str(round(self._random.gauss(0.0004, 0.014), 6)))
            self.prices[symbol] = (price * (1 + move)).quantize(Decimal("0.0001"))
        if stored:
            with psycopg.connect(self.dsn) as books:
                self._store(books, self.seq, self.day)
        if published:
            self.say(
                bus.MD,
                Close(
                    seq=self.seq,
                    day=self.day.isoformat(),
                    event_ns=0,
                    prices=dict(self.prices),
                    stamps=Stamps(data_in=time.time_ns(), published=time.time_ns()),
                ),
            )

    def decide(
        self,
        trades: Sequence[tuple[str, Side, int]],
        *,
        published: bool = True,
        projected: bool = True,
    ) -> None:
        """Let a decision be journaled and filled; on the bus and in the books where asked."""
        decision = f"momentum-{self.seq}"
        orders = [self._trade(decision, n, *trade) for n, trade in enumerate(trades)]
        done = DecisionDone(index=self._next(), decision=decision, seq=self.seq)
        if projected:
            with psycopg.connect(self.dsn) as books:
                self._project(books, orders, done)
        if published:
            for update, fill in orders:
                self.say(bus.ORDERS, update)
                self.say(bus.ORDERS, fill)
            self.say(bus.ORDERS, done)
            self.tell()

    def decide_silently(self, trades: Sequence[tuple[str, Side, int]]) -> None:
        """Trade once more on this day: the books and the portfolio know, the streams do not."""
        decision = f"momentum-{self.seq}"
        orders = [self._trade(decision, 100 + n, *trade) for n, trade in enumerate(trades)]
        with psycopg.connect(self.dsn) as books:
            self._project(books, orders, None)
        self.tell()

    def halt(self, *, halted: bool) -> None:
        """Press or release the kill switch."""
        self.halted = halted
        self.tell()

    def hand_over(self, site: str) -> None:
        """Let a site take the next epoch."""
        self.leader, self.epoch = site, self.epoch + 1
        self.tell()

    def tell(self) -> None:
        """Write the portfolio as the execution app does."""
        portfolio = Portfolio(
            index=self.index,
            cash=self.cash,
            positions={s: q for s, q in self.held.items() if q},
            open_qty={},
            last_decision={"momentum": self.seq},
            halted=self.halted,
            epoch=self.epoch,
            leader=self.leader,
        )
        self.client.set(bus.PORTFOLIO, encode(portfolio))

    def say(self, stream: str, message: BusMessage) -> None:
        """Put a message on the bus."""
        self.client.xadd(stream, {b"m": encode(message)})

    @property
    def equity(self) -> Decimal:
        """Cash and shares at the last closes."""
        return self.cash + sum((q * self.prices[s] for s, q in self.held.items()), Decimal(0))

    def _trade(
        self, decision: str, leg: int, symbol: str, side: Side, qty: int
    ) -> tuple[OrderUpdate, Fill]:
        sign = 1 if side is Side.BUY else -1
        price = (self.prices[symbol] * (1 + sign * Decimal("0.0001"))).quantize(Decimal("0.0001"))
        self.cash -= sign * qty * price
        self.held[symbol] += sign * qty
        now = time.time_ns()
        update = OrderUpdate(
            index=self._next(),
            id=f"{decision}-{symbol}-{leg}",
            decision=decision,
            symbol=symbol,
            side=side,
            qty=qty,
            state=OrderState.FILLED,
            cum_qty=qty,
            avg_px=price,
            stamps=Stamps(
                data_in=now - self._random.randrange(3_000_000, 9_000_000),
                published=now - 2_500_000,
                decided=now - 1_500_000,
                received=now - 1_000_000,
                journaled=now - 400_000,
                sent=now,
            ),
        )
        fill = Fill(
            index=self._next(),
            order=update.id,
            exec_id=str(self.index),
            venue="VENUE",
            day=self.day.isoformat(),
            symbol=symbol,
            side=side,
            qty=qty,
            price=price,
            at_ns=now,
        )
        return update, fill

    def _project(
        self,
        books: psycopg.Connection[tuple[object, ...]],
        orders: Sequence[tuple[OrderUpdate, Fill]],
        done: DecisionDone | None,
    ) -> None:
        for o, f in orders:
            books.execute(
                "INSERT INTO orders (id, decision_id, symbol, side, qty, order_type, limit_price,"
                " tif, state, cum_qty, avg_px, data_in_ns, published_ns, decided_ns, received_ns,"
                " journaled_ns, sent_ns, journal_index, settled)"
                " VALUES (%s,%s,%s,%s,%s,'limit',%s,'ioc',%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,true)",
                (
                    *(o.id, o.decision, o.symbol, o.side, o.qty, o.avg_px, o.state, o.cum_qty),
                    *(o.avg_px, o.stamps.data_in, o.stamps.published, o.stamps.decided),
                    *(o.stamps.received, o.stamps.journaled, o.stamps.sent, o.index),
                ),
            )
            books.execute(
                "INSERT INTO fills (venue, day, exec_id, side, order_id, decision_seq, symbol, qty,"
                " price, at_ns, journal_index) VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)",
                (
                    *(f.venue, f.day, f.exec_id, f.side, f.order, self.seq, f.symbol, f.qty),
                    *(f.price, f.at_ns, f.index),
                ),
            )
        if done is not None:
            books.execute(
                "INSERT INTO decisions"
                " (id, strategy, seq, day, verdict, digest, outcome, journal_index)"
                " VALUES (%s,'momentum',%s,%s,'done','','accepted',%s)",
                (done.decision, done.seq, self.day, done.index),
            )
        books.execute("UPDATE journal_position SET index = %s", (self.index,))

    def _store(self, books: psycopg.Connection[tuple[object, ...]], seq: int, day: date) -> None:
        for symbol, price in self.prices.items():
            books.execute(
                "INSERT INTO closes (seq, day, symbol, price, event_ns) VALUES (%s,%s,%s,%s,0)",
                (seq, day, symbol, price),
            )

    def _next(self) -> int:
        self.index += 1
        return self.index


class RunningDesk:
    """A desk process, and how to log in."""

    def __init__(self, port: int, secret: str, token: str, process: Process) -> None:
        """Keep where it is."""
        self.port, self.secret, self.token, self.process = port, secret, token, process
        self.address = f"http://127.0.0.1:{port}"

    def code(self, *, in_s: int = 60, nonce: str | None = None) -> str:
        """Return a log-in code as `opsctl open` makes it."""
        body = f"{int(time.time()) + in_s}.{nonce or secrets.token_urlsafe(12)}"
        return f"{body}.{hmac.new(self.secret.encode(), body.encode(), hashlib.sha256).hexdigest()}"

    def log_in(self) -> dict[str, str]:
        """Return the cookie of a new session."""
        answer = httpx.get(f"{self.address}/login", params={"code": self.code()})
        assert answer.status_code == 200, answer.text
        return dict(answer.cookies)

    def ready(self) -> httpx.Response:
        """Ask /readyz."""
        return httpx.get(
            f"{self.address}/readyz",
            headers={"Authorization": f"Bearer {self.token}"},
            verify=NO_TLS,
        )

    def is_ready(self) -> bool:
        """Whether it shows books and bus as they are."""
        try:
            return self.ready().status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def desk(
    postgres: PostgresServer,
    valkey: ValkeyServer,
    database: str,
    *,
    peers: dict[str, str] | None = None,
) -> Iterator[RunningDesk]:
    """Run a desk process."""
    with folder() as home:
        port, secret, token = free_port(), secrets.token_hex(16), secrets.token_hex(16)
        (home / "desk").write_text(secret)
        (home / "token").write_text(token)
        settings = DeskSettings.of(
            environment="daily",
            site="a",
            service="desk",
            http_port=port,
            http_token_file=home / "token",
            bus_port=valkey.port,
            bus_password_file=valkey.password_file,
            db_host="127.0.0.1",
            db_port=postgres.port,
            db_name=database,
            db_password_file=postgres.password_file,
            desk_secret_file=home / "desk",
            peers={"desk": f"http://127.0.0.1:{port}", **(peers or {})},
            capital_usd=CAPITAL,
            latency_tier="daily",
            latency_budget_us=1_000_000,
        )
        process = App("apps.desk", home / "log", {**os.environ, **settings.to_environment()})
        process.start()
        running = RunningDesk(port, secret, token, process)
        try:
            yield running
        finally:
            process.stop()


def await_ready(running: RunningDesk) -> None:
    """Wait until the desk shows books and bus."""
    try:
        wait_for(running.is_ready, "the desk")
    except TimeoutError as fault:
        raise AssertionError(running.process.log()) from fault
