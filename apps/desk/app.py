"""The dashboard as an app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from starlette.routing import BaseRoute

from apps.core.app import App, NotReady
from apps.core.bus import Bus
from apps.core.settings import DeskSettings
from apps.desk import metrics
from apps.desk.board import Board
from apps.desk.books import Books
from apps.desk.feed import Feed
from apps.desk.hub import Hub
from apps.desk.ledger import usd
from apps.desk.login import Gate
from apps.desk.peers import Peers
from apps.desk.web import Pages

PEERS_S = 3.0


class Desk(App[DeskSettings]):
    """Shows one environment's trading, live."""

    settings_type = DeskSettings

    def __init__(self, settings: DeskSettings) -> None:
        """Read the secrets; open nothing yet."""
        super().__init__(settings)
        board = Board(
            settings.environment,
            settings.site,
            settings.latency_tier,
            settings.latency_budget_us,
            settings.capital_usd,
        )
        self._bus = Bus.of(settings)
        self._books = Books(settings)
        self._feed = Feed(board, self._bus, self._books, lambda: self._hub.changed())
        self._hub = Hub(lambda: self._feed.board)
        gate = Gate(settings.desk_secret_file.read_text().strip(), time.time)
        self._pages = Pages(
            gate, self._hub, settings.environment, settings.http_host, settings.http_port
        )
        self._measure()

    def public(self) -> Sequence[BaseRoute]:
        """Return the page, which has its own log-in."""
        return self._pages.routes()

    async def ready(self) -> None:
        """Return if books and bus are shown as they are."""
        status = self._feed.board.status
        for source, state in (("books", status.books), ("bus", status.bus)):
            if state != "up":
                raise NotReady(f"{source} {state}{': ' if status.detail else ''}{status.detail}")

    async def run(self) -> None:
        """Show what happens until stopped."""
        try:
            async with asyncio.TaskGroup() as group:
                jobs = [
                    group.create_task(work)
                    for work in (self._feed.run(), self._hub.run(), self._ask_peers())
                ]
                await self.stopping.wait()
                for job in jobs:
                    job.cancel()
        finally:
            await self._books.close()
            await self._bus.close()

    async def _ask_peers(self) -> None:
        """Ask the services while somebody looks."""
        token = self.settings.http_token_file.read_text().strip()
        peers = Peers(self.settings.peers, token)
        try:
            while True:
                await self._hub.watched.wait()
                answers = await peers.ask()
                self._feed.board.health(answers)
                self._hub.changed()
                await asyncio.sleep(PEERS_S)
        finally:
            await peers.close()

    def _measure(self) -> None:
        """Let Prometheus see the books as they stand when it asks."""
        metrics.EQUITY.set_function(lambda: float(usd(self._feed.board.ledger.value)))
        metrics.PNL.set_function(lambda: float(usd(self._feed.board.ledger.pnl)))
        metrics.DRAWDOWN.set_function(lambda: float(self._feed.board.ledger.drawdown()[0]))
        metrics.SOURCE_UP.labels(source="books").set_function(
            lambda: float(self._feed.board.status.books == "up")
        )
        metrics.SOURCE_UP.labels(source="bus").set_function(
            lambda: float(self._feed.board.status.bus == "up")
        )
