"""A firm with its real servers, and a desk process that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from apps.core.messages import Side
from tests.integration.desk.stage import Firm, RunningDesk, await_ready, desk
from tests.support.servers import PostgresServer, ValkeyServer, postgres, valkey


@dataclass(frozen=True)
class Shown:
    """A firm, its servers, and the desk."""

    firm: Firm
    desk: RunningDesk
    postgres: PostgresServer
    valkey: ValkeyServer


@pytest.fixture(scope="module")
def sql() -> Iterator[PostgresServer]:
    """Yield a PostgreSQL that the tests of a module share, each with its own database."""
    with postgres() as server:
        yield server


@pytest.fixture
def shown(sql: PostgresServer) -> Iterator[Shown]:
    """Yield a firm that has traded for six days, and its desk, ready."""
    with valkey() as bus:
        firm = Firm(sql, bus)
        try:
            for _ in range(4):
                firm.close()
                firm.decide([])
            firm.close()
            firm.decide([("KO", Side.BUY, 1_000), ("JNJ", Side.BUY, 500)])
            firm.close()
            firm.decide([("KO", Side.SELL, 200)])
            with desk(sql, bus, firm.database, peers={"data": "http://127.0.0.1:1"}) as running:
                await_ready(running)
                yield Shown(firm, running, sql, bus)
        finally:
            firm.client.close()  # type: ignore[no-untyped-call]
