from __future__ import annotations

from apps.core.fix import Pair, Received, Tag
from apps.data import feed
from apps.data.normalize import Quote

HEADER: list[Pair] = [(8, "FIX.4.4"), (35, "X"), (34, "7"), (49, "VENUE"), (56, "OPS-A-MD")]


def message(*pairs: Pair) -> Received:
    return Received("OPS-A-MD", "X", 7, False, (*HEADER, *pairs, (10, "000")))


def entry(kind: str, symbol: str, price: str, on: str = "20100104") -> list[Pair]:
    return [(279, "0"), (269, kind), (55, symbol), (270, price), (272, on)]


def test_a_day_is_read_with_its_quotes() -> None:
    raw = feed.raw_day(
        message(
            (262, "md-1"),
            (268, "4"),
            *entry("5", "AAPL", "6.5"),
            *entry("0", "AAPL", "6.4"),
            *entry("1", "AAPL", "6.6"),
            *entry("5", "KO", "19"),
            (Tag.SEQ, "5043"),
        ),
        "VENUE",
    )
    assert (raw.source, raw.seq, raw.day) == ("VENUE", 5043, "2010-01-04")
    assert raw.quotes == (Quote("AAPL", "6.5", "6.4", "6.6"), Quote("KO", "19"))


def test_what_a_message_lacks_stays_recognisable() -> None:
    raw = feed.raw_day(
        message((268, "1"), (279, "0"), (269, "5"), (55, "AAPL"), (272, "soon")), "VENUE"
    )
    assert (raw.seq, raw.day) == (feed.UNKNOWN_SEQ, "soon")
    assert raw.quotes == (Quote("AAPL", "none"),)


def test_the_text_beside_a_close_that_is_no_number_is_what_counts() -> None:
    pairs = [(279, "0"), (269, "5"), (55, "KO"), (270, "0"), (272, "20100104"), (58, "n/a")]
    raw = feed.raw_day(message((268, "1"), *pairs, (Tag.SEQ, "1")), "VENUE")
    assert raw.quotes == (Quote("KO", "n/a"),)


def test_entries_of_two_dates_give_a_date_that_is_none() -> None:
    raw = feed.raw_day(
        message(
            (268, "2"),
            *entry("5", "AAPL", "6.5"),
            *entry("5", "KO", "19", on="20100105"),
            (Tag.SEQ, "1"),
        ),
        "VENUE",
    )
    assert raw.day == "20100104,20100105"


def test_a_subscription_asks_for_closes_and_quotes_from_a_sequence() -> None:
    pairs = feed.subscription("md-1", ["AAPL", "KO"], 5043)
    assert pairs[:4] == [(262, "md-1"), (263, "1"), (264, "1"), (265, "1")]
    assert [value for tag, value in pairs if tag == 269] == ["0", "1", "5"]
    assert [value for tag, value in pairs if tag == 55] == ["AAPL", "KO"]
    assert pairs[-1] == (Tag.FROM_SEQ, "5043")


def test_a_release_is_no_subscription() -> None:
    pairs = dict(feed.release("rel-5", ["AAPL"], 5))
    assert pairs[263] == "0"
    assert pairs[Tag.RELEASE_SEQ] == "5"
