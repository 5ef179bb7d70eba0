from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.instruments import instrument
from apps.data.normalize import (
    NEVER,
    Normalized,
    Quote,
    RawDay,
    Reason,
    Rules,
    Seen,
    close_ns,
    normalize,
)

SYMBOLS = ("AAPL", "KO", "MSFT")
RULES = Rules({name: instrument(name) for name in SYMBOLS}, Decimal("0.6"))
SEEN = Seen(
    seq=9,
    day="2020-01-09",
    good={"AAPL": Decimal("75.0000"), "KO": Decimal("50.0000"), "MSFT": Decimal("160.0000")},
)
GOOD = (Quote("AAPL", "76"), Quote("KO", "50.5"), Quote("MSFT", "161.25"))


def day(*quotes: Quote, seq: int = 10, on: str = "2020-01-10") -> RawDay:
    return RawDay("feed", seq, on, quotes)


def reasons(done: Normalized) -> dict[str, Reason]:
    return {rejected.symbol: rejected.reason for rejected in done.rejected}


def test_a_good_day_is_taken_whole() -> None:
    done = normalize(SEEN, day(*GOOD), RULES)
    assert done.rejected == ()
    assert done.priced is not None
    assert done.priced.prices == {
        "AAPL": Decimal("76.0000"),
        "KO": Decimal("50.5000"),
        "MSFT": Decimal("161.2500"),
    }
    assert (done.seen.seq, done.seen.day) == (10, "2020-01-10")
    assert done.seen.good == done.priced.prices


@pytest.mark.parametrize(
    ("quote", "reason"),
    [
        (Quote("KO", "-1"), Reason.NOT_POSITIVE),
        (Quote("KO", "0"), Reason.NOT_POSITIVE),
        (Quote("KO", "0.00001"), Reason.NOT_POSITIVE),
        (Quote("KO", "n/a"), Reason.UNPARSABLE),
        (Quote("KO", "NaN"), Reason.UNPARSABLE),
        (Quote("KO", "Infinity"), Reason.UNPARSABLE),
        (Quote("KO", "1_000"), Reason.UNPARSABLE),
        (Quote("KO", "1e99"), Reason.UNPARSABLE),
        (Quote("KO", "٣"), Reason.UNPARSABLE),
        (Quote("KO", "", bid="50"), Reason.UNPARSABLE),
        (Quote("KO", "50", bid="50.1", offer="50"), Reason.CROSSED),
        (Quote("KO", "50", bid="x", offer="50"), Reason.UNPARSABLE),
        (Quote("KO", "80.01"), Reason.OUTLIER),
        (Quote("KO", "19.99"), Reason.OUTLIER),
        (Quote("TSLA", "1"), Reason.UNKNOWN_INSTRUMENT),
    ],
)
def test_a_bad_record_is_quarantined_alone(quote: Quote, reason: Reason) -> None:
    done = normalize(SEEN, day(GOOD[0], quote, GOOD[2]), RULES)
    expected = {quote.symbol: reason}
    if quote.symbol != "KO":
        expected["KO"] = Reason.MISSING
    assert reasons(done) == expected
    assert done.priced is not None
    assert set(done.priced.prices) == {"AAPL", "MSFT"}
    assert done.seen.good["KO"] == SEEN.good["KO"]
    raw = next(r.raw for r in done.rejected if r.symbol == quote.symbol)
    assert msgspec.json.decode(raw, type=Quote) == quote


def test_the_bound_itself_is_no_outlier_and_a_locked_market_is_not_crossed() -> None:
    done = normalize(SEEN, day(Quote("KO", "80", bid="80", offer="80"), GOOD[0], GOOD[2]), RULES)
    assert done.rejected == ()


def test_a_second_record_of_a_symbol_is_a_duplicate() -> None:
    done = normalize(SEEN, day(*GOOD, Quote("KO", "51")), RULES)
    assert reasons(done) == {"KO": Reason.DUPLICATE}
    assert done.priced is not None
    assert done.priced.prices["KO"] == Decimal("50.5000")


def test_missing_counts_only_once_a_symbol_was_seen() -> None:
    listed = msgspec.structs.replace(SEEN, good={"AAPL": Decimal(75)})
    done = normalize(listed, day(Quote("KO", "50"), Quote("MSFT", "")), RULES)
    assert reasons(done) == {"AAPL": Reason.MISSING}


def test_an_outlier_that_the_next_day_confirms_is_a_new_level() -> None:
    first = normalize(SEEN, day(GOOD[0], Quote("KO", "10"), GOOD[2]), RULES)
    assert reasons(first) == {"KO": Reason.OUTLIER}
    second = normalize(
        first.seen, day(GOOD[0], Quote("KO", "10.5"), GOOD[2], seq=11, on="2020-01-13"), RULES
    )
    assert second.rejected == ()
    assert second.seen.good["KO"] == Decimal("10.5000")


def test_an_outlier_that_the_next_day_contradicts_stays_out() -> None:
    first = normalize(SEEN, day(GOOD[0], Quote("KO", "5000"), GOOD[2]), RULES)
    second = normalize(
        first.seen, day(GOOD[0], Quote("KO", "51"), GOOD[2], seq=11, on="2020-01-13"), RULES
    )
    assert second.rejected == ()
    assert second.priced is not None
    assert second.priced.prices["KO"] == Decimal("51.0000")


@pytest.mark.parametrize("seq", [9, 3, 0])
def test_a_sequence_that_was_seen_is_stale_and_changes_nothing(seq: int) -> None:
    done = normalize(SEEN, day(*GOOD, seq=seq), RULES)
    assert set(reasons(done).values()) == {Reason.STALE}
    assert len(done.rejected) == len(GOOD)
    assert (done.priced, done.seen) == (None, SEEN)


def test_a_day_ahead_of_its_turn_is_out_of_order_and_still_awaited() -> None:
    done = normalize(SEEN, day(*GOOD, seq=12), RULES)
    assert set(reasons(done).values()) == {Reason.OUT_OF_ORDER}
    assert (done.priced, done.seen) == (None, SEEN)


def test_a_gap_that_nobody_can_fill_is_recorded_day_by_day() -> None:
    done = normalize(SEEN, day(*GOOD, seq=12), RULES, allow_gap=True)
    assert [(r.seq, r.reason) for r in done.rejected] == [
        (10, Reason.MISSING),
        (11, Reason.MISSING),
    ]
    assert done.priced is not None
    assert done.seen.seq == 12


@pytest.mark.parametrize(
    ("on", "reason"),
    [
        ("2020-01-09", Reason.STALE),
        ("2019-12-31", Reason.STALE),
        ("2020-13-01", Reason.UNPARSABLE),
        ("20200110", Reason.UNPARSABLE),
        ("", Reason.UNPARSABLE),
    ],
)
def test_a_day_with_a_bad_date_is_rejected_but_its_sequence_is_used_up(
    on: str, reason: Reason
) -> None:
    done = normalize(SEEN, day(*GOOD, on=on), RULES)
    assert set(reasons(done).values()) == {reason}
    assert done.priced is None
    assert (done.seen.seq, done.seen.day) == (10, "2020-01-09")


def test_a_message_without_a_sequence_is_unparsable() -> None:
    for seen in (SEEN, Seen()):
        done = normalize(seen, day(*GOOD, seq=NEVER), RULES)
        assert set(reasons(done).values()) == {Reason.UNPARSABLE}
        assert done.seen == seen


def test_a_day_of_bad_records_is_published_empty() -> None:
    done = normalize(SEEN, day(*(Quote(name, "-1") for name in SYMBOLS)), RULES)
    assert done.priced is not None
    assert done.priced.prices == {}
    assert len(done.rejected) == len(SYMBOLS)


@pytest.mark.parametrize(
    ("on", "utc"),
    [("2020-01-10", "2020-01-10T21:00:00+00:00"), ("2020-07-10", "2020-07-10T20:00:00+00:00")],
)
def test_the_close_is_that_of_new_york(on: str, utc: str) -> None:
    assert datetime.fromtimestamp(close_ns(on) / 1e9, UTC).isoformat() == utc


texts = st.one_of(
    st.decimals("0.0001", "1000", places=4).map(str),
    st.sampled_from(["-1", "0", "", "nan", "x", "1e400", "٣", "1\x00", " 75 "]),
    st.text(max_size=5),
)
quotes = st.builds(
    Quote,
    symbol=st.sampled_from([*SYMBOLS, "TSLA"]),
    close=texts,
    bid=st.one_of(st.just(""), texts),
    offer=st.one_of(st.just(""), texts),
)
days = st.builds(
    RawDay,
    source=st.just("feed"),
    seq=st.integers(-1, 30),
    day=st.one_of(
        st.integers(0, 30).map(lambda n: (date(2020, 1, 1) + timedelta(n)).isoformat()),
        st.text(max_size=10),
    ),
    quotes=st.lists(quotes, max_size=6).map(tuple),
)


@given(st.lists(days, max_size=12), st.booleans())
def test_nothing_is_dropped_and_what_passes_is_sound(raw: list[RawDay], allow_gap: bool) -> None:
    seen = Seen()
    for one in raw:
        done = normalize(seen, one, RULES, allow_gap=allow_gap)
        said = [q for q in one.quotes if q.close or q.bid or q.offer]
        kept = done.priced.prices if done.priced else {}
        answered = [r for r in done.rejected if r.raw]
        if done.priced is None:
            assert len(answered) == len(one.quotes)
        else:
            assert len(answered) + len(kept) == len(said)
            assert done.priced.day > seen.day
            assert done.priced.seq > seen.seq
        for symbol, price in kept.items():
            assert price > 0
            RULES.instruments[symbol].ticks(price)
            bases = [b for b in (seen.good.get(symbol), seen.suspect.get(symbol)) if b]
            if symbol in seen.good:
                assert any(abs(price / base - 1) <= RULES.outlier_bound for base in bases)
        assert done.seen.seq >= seen.seq
        if not allow_gap and seen.seq != NEVER:
            assert done.seen.seq <= seen.seq + 1
        assert normalize(seen, one, RULES, allow_gap=allow_gap) == done
        seen = done.seen
