"""Normalization: raw days in, closes and rejected records out. Pure.

Identity, tick and time are settled here: a known instrument, a price on its tick, the
close of the New York session in UTC nanoseconds. What is wrong is rejected with its
reason and its raw text, never dropped. A symbol whose record was rejected is absent from
that day's `Close`; the day itself is published even if every record was rejected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from apps.core.instruments import Instrument

NEVER = -1
"""The sequence before the first day."""

NEW_YORK = ZoneInfo("America/New_York")
CLOSE_AT = time(16)
"""The close of the regular session; the source does not tell half days apart."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
MOST_DIGITS = 10
"""Prices have at most this many digits before the point."""


class Reason(StrEnum):
    """Why a record is in quarantine."""

    UNPARSABLE = "unparsable"
    NOT_POSITIVE = "not_positive"
    CROSSED = "crossed"
    STALE = "stale"
    OUT_OF_ORDER = "out_of_order"
    OUTLIER = "outlier"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    DUPLICATE = "duplicate"
    MISSING = "missing"


class Quote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a source says of one instrument on one day, as text; empty where it says nothing."""

    symbol: str
    close: str
    bid: str = ""
    offer: str = ""


class RawDay(msgspec.Struct, frozen=True):
    """One day of a source, as it came."""

    source: str
    seq: int
    day: str
    """ISO date, or whatever the source has in its place."""
    quotes: tuple[Quote, ...]


class Rejected(msgspec.Struct, frozen=True):
    """A record for the quarantine."""

    source: str
    seq: int
    day: str
    symbol: str
    raw: str
    reason: Reason


class Seen(msgspec.Struct, frozen=True):
    """What normalization remembers: everything that its next answer depends on."""

    seq: int = NEVER
    day: str = ""
    good: Mapping[str, Decimal] = {}
    """The last good close of each symbol."""
    suspect: Mapping[str, Decimal] = {}
    """Outliers of the last day: one that the next day confirms is a new level, not an error."""


class Rules(msgspec.Struct, frozen=True):
    """What a record is held against."""

    instruments: Mapping[str, Instrument]
    outlier_bound: Decimal
    """Largest move from the last good close, as a share of it."""


class Priced(msgspec.Struct, frozen=True):
    """A normalized day."""

    seq: int
    day: str
    event_ns: int
    prices: dict[str, Decimal]


class Normalized(msgspec.Struct, frozen=True):
    """What became of a raw day: what is remembered after it, the day, what was rejected.

    `priced` is None where the day as a whole was rejected; `seen.seq` tells whether its
    sequence is used up (a day without a usable date) or still awaited.
    """

    seen: Seen
    priced: Priced | None
    rejected: tuple[Rejected, ...]


class _Refused(Exception):
    """A record is refused for a reason; `price` is what it said, where that much is clear."""

    def __init__(self, reason: Reason, price: Decimal | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.price = price


def normalize(seen: Seen, raw: RawDay, rules: Rules, *, allow_gap: bool = False) -> Normalized:
    """Return what becomes of the next raw day.

    A day that is not the next in sequence is rejected as a whole, stale or out of order;
    with `allow_gap` the days in between count as missing and this one is taken.
    """
    if raw.seq < 0:
        return Normalized(seen, None, tuple(_whole(raw, Reason.UNPARSABLE)))
    if raw.seq <= seen.seq:
        return Normalized(seen, None, tuple(_whole(raw, Reason.STALE)))
    gap: tuple[Rejected, ...] = ()
    if seen.seq != NEVER and raw.seq > seen.seq + 1:
        if not allow_gap:
            return Normalized(seen, None, tuple(_whole(raw, Reason.OUT_OF_ORDER)))
        gap = tuple(
            Rejected(raw.source, seq, "", "", "", Reason.MISSING)
            for seq in range(seen.seq + 1, raw.seq)
        )
    try:
        event_ns = close_ns(raw.day)
    except ValueError:
        skipped = msgspec.structs.replace(seen, seq=raw.seq, suspect={})
        return Normalized(skipped, None, (*gap, *_whole(raw, Reason.UNPARSABLE)))
    if raw.day <= seen.day:
        skipped = msgspec.structs.replace(seen, seq=raw.seq, suspect={})
        return Normalized(skipped, None, (*gap, *_whole(raw, Reason.STALE)))
    return _records(seen, raw, rules, event_ns, gap)


def _records(
    seen: Seen, raw: RawDay, rules: Rules, event_ns: int, gap: tuple[Rejected, ...]
) -> Normalized:
    prices: dict[str, Decimal] = {}
    suspect: dict[str, Decimal] = {}
    rejected: list[Rejected] = list(gap)
    spoken: set[str] = set()
    for quote in raw.quotes:
        if not quote.close and not quote.bid and not quote.offer:
            continue  # nothing is said of it: judged below, as missing
        symbol = quote.symbol
        try:
            if symbol in spoken:
                raise _Refused(Reason.DUPLICATE)
            spoken.add(symbol)
            prices[symbol] = _price(quote, seen, rules)
        except _Refused as why:
            rejected.append(_rejected(raw, quote, why.reason))
            if why.reason is Reason.OUTLIER and why.price is not None:
                suspect[symbol] = why.price
    rejected += [
        Rejected(raw.source, raw.seq, raw.day, symbol, "", Reason.MISSING)
        for symbol in seen.good
        if symbol not in spoken
    ]
    after = Seen(seq=raw.seq, day=raw.day, good={**seen.good, **prices}, suspect=suspect)
    priced = Priced(raw.seq, raw.day, event_ns, prices)
    return Normalized(after, priced, tuple(rejected))


def _price(quote: Quote, seen: Seen, rules: Rules) -> Decimal:
    what = rules.instruments.get(quote.symbol)
    if what is None:
        raise _Refused(Reason.UNKNOWN_INSTRUMENT)
    price = what.round_price(_positive(quote.close))
    if price <= 0:
        raise _Refused(Reason.NOT_POSITIVE)
    bid = _positive(quote.bid) if quote.bid else None
    offer = _positive(quote.offer) if quote.offer else None
    if bid is not None and offer is not None and bid > offer:
        raise _Refused(Reason.CROSSED)
    good = seen.good.get(quote.symbol)
    if good is not None and _beyond(price, good, rules):
        confirmed = seen.suspect.get(quote.symbol)
        if confirmed is None or _beyond(price, confirmed, rules):
            raise _Refused(Reason.OUTLIER, price)
    return price


def _beyond(price: Decimal, base: Decimal, rules: Rules) -> bool:
    return abs(price - base) > rules.outlier_bound * base


def _positive(text: str) -> Decimal:
    text = text.strip()
    if not NUMBER.fullmatch(text):
        raise _Refused(Reason.UNPARSABLE)
    number = Decimal(text)
    if number <= 0:
        raise _Refused(Reason.NOT_POSITIVE)
    if number.adjusted() >= MOST_DIGITS:
        raise _Refused(Reason.UNPARSABLE)
    return number


def _whole(raw: RawDay, reason: Reason) -> Iterator[Rejected]:
    for quote in raw.quotes:
        yield _rejected(raw, quote, reason)
    if not raw.quotes:
        yield Rejected(raw.source, raw.seq, raw.day, "", "", reason)


def _rejected(raw: RawDay, quote: Quote, reason: Reason) -> Rejected:
    text = msgspec.json.encode(quote).decode()
    return Rejected(raw.source, raw.seq, raw.day, quote.symbol, text, reason)


@lru_cache(maxsize=64)
def close_ns(day: str) -> int:
    """Return the close of the New York session of an ISO date in UTC nanoseconds.

    Raises ValueError where `day` is no date in the form YYYY-MM-DD.
    """
    found = date.fromisoformat(day)
    if found.isoformat() != day:
        raise ValueError(f"{day!r} is not in the form YYYY-MM-DD")
    return int(datetime.combine(found, CLOSE_AT, NEW_YORK).timestamp()) * 1_000_000_000
