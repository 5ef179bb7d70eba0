"""Loads what came before the first live day, through the same normalization."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

import structlog

from apps.core.clock import Clock
from apps.core.instruments import Instrument, instrument
from apps.core.prices import PriceSource, open_source
from apps.data import metrics
from apps.data.normalize import Quote, RawDay, Rules, Seen, normalize
from apps.data.store import Entry, Store

log = structlog.get_logger()

BATCH_DAYS = 500


class History:
    """A source read up to the first live day, normalized as it goes."""

    def __init__(self, source: PriceSource, until: date, outlier_bound: Decimal) -> None:
        """Read which instruments there are: those of the whole source."""
        self._source = source
        self._until = until
        symbols = sorted({symbol for day in source.days() for symbol in day.closes})
        self.instruments: Mapping[str, Instrument] = {name: instrument(name) for name in symbols}
        self._rules = Rules(self.instruments, outlier_bound)

    def batches(self, seen: Seen, at_ns: int) -> Iterator[list[Entry]]:
        """Yield the days after `seen`, some hundred at a time."""
        batch: list[Entry] = []
        for day in self._source.days(seen.seq + 1):
            if day.day >= self._until:
                continue
            quotes = tuple(Quote(symbol, close) for symbol, close in day.closes.items())
            raw = RawDay(self._source.name, day.seq, day.day.isoformat(), quotes)
            done = normalize(seen, raw, self._rules)
            seen = done.seen
            batch.append(Entry(at_ns, self._source.name, done))
            if len(batch) == BATCH_DAYS:
                yield batch
                batch = []
        if batch:
            yield batch


async def load(
    store: Store, name: str, until: date, outlier_bound: Decimal, clock: Clock
) -> Mapping[str, Instrument]:
    """Store the days before `until` that are not stored yet; return the instruments.

    Each batch is stored with its position, so that a crash half-way goes on from there.
    Raises `apps.core.prices.SourceError` where the source cannot be read.
    """
    begin_ns = clock()
    seen = await store.seen()
    history = await asyncio.to_thread(History, open_source(name), until, outlier_bound)
    await store.know(history.instruments.values())
    batches, days = history.batches(seen, begin_ns), 0
    while batch := await asyncio.to_thread(next, batches, None):
        await store.append(batch)
        count(batch)
        days += len(batch)
    if days:
        log.info("history loaded", days=days, seconds=round((clock() - begin_ns) / 1e9, 2))
    return history.instruments


def count(entries: Iterable[Entry]) -> None:
    """Count what normalization made of these entries."""
    for entry in entries:
        if entry.normalized.priced is not None:
            metrics.DAYS.labels(entry.source).inc()
            metrics.PRICES.labels(entry.source).inc(len(entry.normalized.priced.prices))
        for rejected in entry.normalized.rejected:
            metrics.QUARANTINED.labels(rejected.reason.value).inc()
