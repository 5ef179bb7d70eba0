"""The data app: history once, then the venue's feed, to the bus and to the books."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import msgspec
import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from apps.core.app import App, NotReady
from apps.core.bus import Bus
from apps.core.clock import utc_ns
from apps.core.settings import DataSettings
from apps.data.history import load
from apps.data.ingestion import Ingestion
from apps.data.normalize import NEVER
from apps.data.publisher import RECENT, ProbeRefused
from apps.data.store import Store

log = structlog.get_logger()

T = TypeVar("T")

RETRY_S = 0.2
PROBE_S = 2.0
"""How long a probe may wait for the bus."""
PROBE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class _ProbeBody(msgspec.Struct):
    id: str


class DataApp(App[DataSettings]):
    """Ingestion of one site."""

    settings_type = DataSettings

    def __init__(self, settings: DataSettings) -> None:
        """Keep the settings; `run` opens what they name."""
        super().__init__(settings)
        self._ingestion: Ingestion | None = None
        self._stage = "starting"

    async def run(self) -> None:
        """Ingest until stopping."""
        days = Bus.of(self.settings, one_caller=True)
        orders, store = Bus.of(self.settings), Store(self.settings)
        try:
            prepared = await self._unless_stopping(self._prepare(days, orders, store))
            if prepared is not None:
                self._ingestion = prepared
                await prepared.run(self.stopping)
        finally:
            await store.close()
            await orders.close()
            await days.close()

    async def _prepare(self, days: Bus, orders: Bus, store: Store) -> Ingestion:
        """Bring schema and history up to date, and take up where the books end."""
        settings = self.settings
        while True:
            try:
                await store.open()
                self._stage = "loading history"
                instruments = await load(
                    store, settings.source, settings.history_until, settings.outlier_bound, utc_ns
                )
                seen = await store.seen()
                live = settings.history_until.isoformat()
                recent = await store.days(max(NEVER, seen.seq - RECENT), live)
            except psycopg.OperationalError as why:
                # Without the books there is nothing to go on from: the first good prices.
                log.warning("the books do not answer", reason=str(why))
                self._stage = f"waiting for the books: {why}"
                await asyncio.sleep(RETRY_S)
            else:
                return Ingestion(
                    settings,
                    days,
                    orders,
                    store,
                    instruments=instruments,
                    seen=seen,
                    recent=recent,
                    clock=utc_ns,
                )

    async def _unless_stopping(self, work: Awaitable[T]) -> T | None:
        """Return the result of `work`; None where stopping came first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stop.cancel()
            task.cancel()

    async def ready(self) -> None:
        """Ready while the feed speaks, and its last day is stored and published."""
        if self._ingestion is None:
            raise NotReady(self._stage)
        if self._ingestion.fault:
            raise NotReady(self._ingestion.fault)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route that takes probes."""
        return (Route("/probe", self._probe, methods=["POST"]),)

    async def _probe(self, request: Request) -> Response:
        data_in = utc_ns()
        try:
            name = msgspec.json.decode(await request.body(), type=_ProbeBody).id
        except (msgspec.DecodeError, msgspec.ValidationError) as fault:
            return JSONResponse({"error": f"expected {{'id': ...}}: {fault}"}, status_code=400)
        if not PROBE_ID.fullmatch(name):
            return JSONResponse(
                {"error": f"an id matches {PROBE_ID.pattern}: it becomes a ClOrdID"},
                status_code=400,
            )
        if self._ingestion is None:
            return JSONResponse({"error": self._stage}, status_code=503)
        try:
            async with asyncio.timeout(PROBE_S):
                entry = await self._ingestion.probe(name, data_in)
        except ProbeRefused as why:
            return JSONResponse({"error": str(why)}, status_code=503)
        except TimeoutError:
            return JSONResponse({"error": "the bus does not answer"}, status_code=503)
        return JSONResponse({"id": name, "entry": entry})
