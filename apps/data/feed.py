"""The venue's market data in FIX 4.4: what is asked, and what an answer says. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from apps.core.fix import Pair, Received, Tag
from apps.data.normalize import Quote, RawDay

BID, OFFER, CLOSE = "0", "1", "5"
UNKNOWN_SEQ = -1
"""The sequence of a message that has none."""

REQUEST = "V"
INCREMENTAL = "X"
SNAPSHOT = "W"
REFUSALS = {"Y": "MarketDataRequestReject", "3": "Reject", "j": "BusinessMessageReject"}


def subscription(request_id: str, symbols: Iterable[str], from_seq: int) -> list[Pair]:
    """Return the fields that subscribe to every day from a sequence on."""
    head = [(262, request_id), (263, "1"), (264, "1"), (265, "1")]
    return [*head, *_what(symbols), (Tag.FROM_SEQ, str(from_seq))]


def release(request_id: str, symbols: Iterable[str], seq: int) -> list[Pair]:
    """Return the fields that tell a venue at replay speed 0 that a day is settled."""
    head = [(262, request_id), (263, "0"), (264, "1")]
    return [*head, *_what(symbols), (Tag.RELEASE_SEQ, str(seq))]


def _what(symbols: Iterable[str]) -> list[Pair]:
    names = list(symbols)
    types: list[Pair] = [(267, "3"), (269, BID), (269, OFFER), (269, CLOSE)]
    return [*types, (146, str(len(names))), *((55, name) for name in names)]


def raw_day(message: Received, source: str) -> RawDay:
    """Return what an incremental refresh says: one whole day.

    What it lacks stays empty, or `UNKNOWN_SEQ`: normalization judges it. A close that the
    venue could not put in a number stands in its text (58).
    """
    closes: list[tuple[str, str]] = []
    best: dict[tuple[str, str], str] = {}
    dates: set[str] = set()
    for entry in message.group(268, 279):
        symbol, kind, price = entry.get(55, ""), entry.get(269, ""), entry.get(270, "")
        if kind == CLOSE:
            closes.append((symbol, entry.get(58) or price or "none"))
            dates.add(entry.get(272, ""))
        elif kind in (BID, OFFER):
            best[symbol, kind] = price
    seq = message.get(Tag.SEQ)
    return RawDay(
        source=source,
        seq=int(seq) if seq.isascii() and seq.isdigit() else UNKNOWN_SEQ,
        day=_iso(dates.pop()) if len(dates) == 1 else ",".join(sorted(dates)),
        quotes=tuple(
            Quote(name, price, best.get((name, BID), ""), best.get((name, OFFER), ""))
            for name, price in closes
        ),
    )


def _iso(fix_date: str) -> str:
    """Return YYYYMMDD as an ISO date; anything else as it is."""
    if len(fix_date) == len("YYYYMMDD") and fix_date.isascii() and fix_date.isdigit():
        return f"{fix_date[:4]}-{fix_date[4:6]}-{fix_date[6:]}"
    return fix_date
