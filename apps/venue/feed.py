"""Market data: who takes it, what of it they have, and what it looks like on FIX 4.4.

A subscription is answered by a snapshot (W) a symbol and then by one incremental refresh
(X) a day, from the wanted sequence on and without a gap: a subscriber is a cursor over
the tape, and a live day is only the last step of it. A long catch-up is sent in slices,
so that orders never wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from zoneinfo import ZoneInfo

from apps.core.fix import Pair, Received, Tag
from apps.core.prices import Day
from apps.venue.lines import Quote
from apps.venue.maker import price_of
from apps.venue.state import State
from apps.venue.tape import Tape

_BID, _OFFER, _CLOSE = "0", "1", "5"
_SLICE_DAYS = 20
_CLOSING_BELL = time(16, 0, tzinfo=ZoneInfo("America/New_York"))

Send = Callable[[str, str, list[Pair]], object]
"""Writes a message of a type to a session, if it is logged on."""
Quotes = Callable[[Mapping[str, str], int], dict[str, Quote]]
"""Returns the market maker's quotes for the closes of a sequence."""


class BadRequest(Exception):
    """A MarketDataRequest that is refused; `reason` is FIX 281."""

    def __init__(self, reason: str, text: str) -> None:
        """Keep the reason for the reject."""
        super().__init__(text)
        self.reason = reason


@dataclass(slots=True)
class _Subscriber:
    request_id: str
    symbols: frozenset[str] | None
    """None: all symbols."""
    next_seq: int
    missed: Iterator[Day] | None = None


class Feed:
    """The market data of the venue."""

    def __init__(self, state: State, tape: Tape, quotes: Quotes, send: Send) -> None:
        """Publish from `tape` up to where `state` stands."""
        self._state, self._tape, self._quotes, self._send = state, tape, quotes, send
        self._subscribers: dict[str, _Subscriber] = {}

    @property
    def subscribers(self) -> int:
        """How many sessions take market data."""
        return len(self._subscribers)

    def released(self, request: Received) -> int | None:
        """Return the sequence that a request releases, or None where it asks for data."""
        text = request.get(Tag.RELEASE_SEQ)
        return int(text) if request.get(263) == "0" and text.isdecimal() else None

    def request(self, request: Received) -> None:
        """Answer a MarketDataRequest; raise `BadRequest` where it cannot be."""
        kind = request.get(263)
        if kind == "2":
            self.leave(request.session)
            return
        if kind not in ("0", "1"):
            raise BadRequest("4", f"SubscriptionRequestType {kind} is not known here")
        symbols = self._symbols(request)
        for symbol in self._state.books:
            if symbols is None or symbol in symbols:
                self._send(request.session, "W", self._snapshot(request.get(262), symbol))
        if kind == "1":
            wanted = request.get(Tag.FROM_SEQ)
            first = int(wanted) if wanted.isdecimal() else self._state.seq
            self._subscribers[request.session] = _Subscriber(request.get(262), symbols, first)

    def leave(self, session: str) -> None:
        """Forget a subscriber."""
        self._subscribers.pop(session, None)

    def pump(self) -> bool:
        """Send the next slice of what subscribers miss; return whether more is to come."""
        more = False
        for session, subscriber in self._subscribers.items():
            more |= self._slice(session, subscriber)
        return more

    def _slice(self, session: str, to: _Subscriber) -> bool:
        current = self._state.seq
        if to.next_seq < current:
            if to.missed is None:
                to.missed = self._tape.between(to.next_seq, current - 1)
            days = list(islice(to.missed, _SLICE_DAYS))
            for day in days:
                body = incremental(to, day.seq, day.day, day.closes, self._quotes)
                self._send(session, "X", body)
                to.next_seq = day.seq + 1
            if len(days) < _SLICE_DAYS:
                to.missed = None  # at its end, or the live day moved on: ask the tape again
        if to.next_seq == current:
            today = date.fromisoformat(self._state.day)
            closes, quotes = self._state.closes, self._state.quotes
            self._send(
                session, "X", incremental(to, current, today, closes, lambda *_: dict(quotes))
            )
            to.next_seq = current + 1
        return to.next_seq <= current

    def _symbols(self, request: Received) -> frozenset[str] | None:
        wanted = {entry[55] for entry in request.group(146, 55)}
        if "*" in wanted:
            return None
        unknown = sorted(wanted - self._state.books.keys())
        if unknown or not wanted:
            raise BadRequest("0", f"not listed: {', '.join(unknown) or 'no symbol was named'}")
        return frozenset(wanted)

    def _snapshot(self, request_id: str, symbol: str) -> list[Pair]:
        """Return the best bid and offer of a symbol, and its last close."""
        book, tick = self._state.books[symbol], self._state.instruments[symbol].tick
        entries: list[list[Pair]] = []
        for kind, ladder in ((_BID, book.bids), (_OFFER, book.offers)):
            best = ladder.best()
            if best is not None:
                price = format(best * tick, "f")
                entries.append([(269, kind), (270, price), (271, str(ladder.depth(best)))])
        close = self._state.closes.get(symbol, "")
        if price_of(close) is not None:
            entries.append([(269, _CLOSE), (270, close.strip())])
        flat = [pair for entry in entries for pair in entry]
        seq = (Tag.SEQ, str(self._state.seq))
        return [(262, request_id), (55, symbol), (268, str(len(entries))), *flat, seq]


def incremental(
    to: _Subscriber, seq: int, day: date, closes: Mapping[str, str], quotes: Quotes
) -> list[Pair]:
    """Return the incremental refresh of one whole day: every close, and its quotes."""
    stamp = datetime.combine(day, _CLOSING_BELL).astimezone(UTC)
    when: list[Pair] = [(272, f"{day:%Y%m%d}"), (273, f"{stamp:%H:%M:%S}")]
    made = quotes(closes, seq)
    wanted = {s: close for s, close in closes.items() if to.symbols is None or s in to.symbols}
    entries = [entry for s, close in wanted.items() for entry in _entries(s, close, made.get(s))]
    flat = [pair for entry in entries for pair in (*entry, *when)]
    return [(262, to.request_id), (268, str(len(entries))), *flat, (Tag.SEQ, str(seq))]


def _entries(symbol: str, close: str, quote: Quote | None) -> Iterable[list[Pair]]:
    """Yield the entries of one symbol: the close as found, then bid and offer."""
    if close.strip():
        yield [(279, "0"), (269, _CLOSE), (55, symbol), _as_found(close)]
    if quote is not None:
        for kind, price in ((_BID, quote.bid), (_OFFER, quote.offer)):
            yield [
                (279, "0"),
                (269, kind),
                (55, symbol),
                (270, _plain(price)),
                (271, str(quote.qty)),
            ]


def _as_found(close: str) -> Pair:
    """Return a close as it stands on the tape: as a price, or as text where it is none."""
    price = price_of(close)
    if price is not None:
        return (270, _plain(price))
    return (58, "".join(letter if letter.isprintable() else "?" for letter in close.strip()))


def _plain(price: Decimal) -> str:
    return format(price, "f")
