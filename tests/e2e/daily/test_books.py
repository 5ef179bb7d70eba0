"""Profit and loss, right to the cent, against the venue's own record."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import psycopg

from opsctl.drills import record
from tests.e2e.conftest import Deployed
from tests.support import witness
from tests.support.chaos import accounts_of
from tests.support.servers import wait_for

CENT = Decimal("0.01")


def test_equity_of_the_books_is_that_of_the_venue_record(daily: Deployed) -> None:
    accounts = accounts_of(daily.name)
    settings = accounts.service("projector").environment
    capital = Decimal(settings["TRADING_CAPITAL_USD"])
    compared: list[tuple[Decimal, Decimal]] = []

    def lines() -> list[bytes]:
        return accounts.venue_record().read_bytes().splitlines()

    def agrees() -> bool:
        """Compare at one instant; the replay goes on, so that a first look may be torn."""
        with psycopg.connect(
            host=settings["TRADING_DB_HOST"],
            port=int(settings["TRADING_DB_PORT"]),
            dbname=settings["TRADING_DB_NAME"],
            user=settings["TRADING_DB_USER"],
            password=Path(settings["TRADING_DB_PASSWORD_FILE"]).read_text().strip(),
            autocommit=True,
        ) as books:
            executions = record.read(lines()).executions.values()
            if len(executions) < 20:
                return False
            closes: dict[str, Decimal] = dict(
                books.execute(
                    "SELECT DISTINCT ON (symbol) symbol, price FROM closes"
                    " ORDER BY symbol, day DESC"
                ).fetchall()
            )
            held: dict[str, int] = dict(
                books.execute("SELECT symbol, qty FROM positions").fetchall()
            )
            cash = books.execute("SELECT usd FROM cash").fetchone()
        assert cash is not None
        booked = cash[0] + sum((qty * closes[s] for s, qty in held.items() if qty), Decimal(0))
        compared.append(
            (booked.quantize(CENT), witness.equity(capital, executions, closes).quantize(CENT))
        )
        return compared[-1][0] == compared[-1][1]

    wait_for(agrees, "agreement of books and venue record", 60.0)
    booked, recorded = compared[-1]
    assert booked == recorded != capital
