from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from apps.core.messages import Close
from tests.integration.data.fake_feed import FakeVenue
from tests.integration.data.site import START_DAY, Site, site
from tests.support.servers import wait_for

FIRST_LIVE = 5043
HISTORY_DAYS = 5043
"""Days of the bundled prices before 2010-01-04."""


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture
def venue(here: Site) -> Iterator[FakeVenue]:
    with FakeVenue(here.ports["fix"], here.home / "venue-fix", here.fix_password) as running:
        yield running


def contiguous(entries: list[tuple[str, Close]]) -> list[int]:
    """Return the days of a stream, after checking that each is there once and in order."""
    days = [(entry, close) for entry, close in entries if not close.probe]
    seqs = [close.seq for _, close in days]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert [entry for entry, _ in days] == [f"{seq + 1}-0" for seq in seqs]
    return seqs


def stored(here: Site) -> list[int]:
    return [row[0] for row in here.query("SELECT DISTINCT seq FROM closes ORDER BY seq")]


def tape(path: Path, days: int, **oddities: str) -> Path:
    """Write a CSV of two symbols; `oddities` are closes of BBB by the number of their day."""
    lines = ["date,AAA,BBB"]
    for number in range(days):
        odd = oddities.get(f"day{number}", f"{20 + number / 10:.2f}")
        lines.append(f"2020-01-{number + 1:02d},{10 + number / 10:.2f},{odd}")
    path.write_text("\n".join(lines) + "\n")
    return path


def start_with_tape(here: Site, path: Path, day_s: str) -> None:
    common = {"day_s": day_s}
    here.start("venue", here.venue_settings(tape=str(path), tape_start="2020-01-04", **common))
    here.start(
        "data",
        here.data_settings(source=str(path), history_until="2020-01-04", **common),
    )


def test_history_is_loaded_and_the_feed_followed(here: Site) -> None:
    here.start("venue", here.venue_settings(day_s="0.1"))
    here.start("data", here.data_settings(day_s="0.1"))
    here.wait_ready("data")
    with here.explained("data", "venue"):
        wait_for(lambda: len(here.closes()) >= 10, "ten live days")
    seqs = contiguous(here.closes())
    assert seqs[0] == FIRST_LIVE
    first = here.closes()[0][1]
    assert first.day == START_DAY.isoformat()
    assert len(first.prices) == 20
    assert 0 < first.stamps.data_in <= first.stamps.published
    wait_for(lambda: set(seqs) <= set(stored(here)), "live days stored")
    assert stored(here)[:HISTORY_DAYS] == list(range(HISTORY_DAYS))
    # What is published is what is stored, to the last digit.
    rows = here.query("SELECT symbol, price FROM closes WHERE seq = %s", FIRST_LIVE)
    assert dict(rows) == first.prices
    # The one move beyond the bound in the bundled history is kept aside, not dropped.
    assert here.query("SELECT seq, symbol, reason FROM quarantine") == [(69, "RRC", "outlier")]
    assert here.metric("data", 'trading_md_quarantined_total{reason="outlier"}') == 1
    assert here.metric("data", "trading_md_feed_up") == 1
    assert here.apps["data"].stop() == 0
    assert here.apps["data"].log().count('"level": "error"') == 0
    wait_for(lambda: here.closes()[-1][1].seq == stored(here)[-1], "drained")


def test_kill_9_loses_and_doubles_nothing(here: Site) -> None:
    here.start("venue", here.venue_settings(day_s="0.05"))
    settings = here.data_settings(day_s="0.05")
    here.start("data", settings)
    here.wait_ready("data")
    for _ in range(3):
        before = len(here.closes())
        with here.explained("data"):
            wait_for(lambda before=before: len(here.closes()) > before + 5, "days")  # type: ignore[misc]
        here.apps["data"].kill()
        here.apps["data"].start()
    here.wait_ready("data")
    with here.explained("data"):
        wait_for(lambda: len(here.closes()) > before + 15, "days after the last kill")
    seqs = contiguous(here.closes())
    wait_for(lambda: stored(here)[-1] >= seqs[-1], "stored")
    assert stored(here)[HISTORY_DAYS : HISTORY_DAYS + len(seqs)] == seqs


def test_bad_records_are_quarantined_and_the_rest_flows(here: Site) -> None:
    oddities = {"day1": "-3", "day5": "n/a", "day6": "2000", "day7": "", "day8": "0"}
    start_with_tape(here, tape(here.home / "tape.csv", 20, **oddities), "0.05")
    here.wait_ready("data")
    with here.explained("data"):
        wait_for(lambda: len(here.closes()) == 17, "the whole tape")
    contiguous(here.closes())
    absent = {close.seq for _, close in here.closes() if set(close.prices) == {"AAA"}}
    assert absent == {5, 6, 7, 8}
    found = here.query("SELECT seq, symbol, reason FROM quarantine ORDER BY seq")
    assert found == [
        (1, "BBB", "not_positive"),
        (5, "BBB", "unparsable"),
        (6, "BBB", "outlier"),
        (7, "BBB", "missing"),
        (8, "BBB", "not_positive"),
    ]
    raw = here.query("SELECT raw FROM quarantine WHERE seq = 6")[0][0]
    assert '"2000"' in raw
    counted = here.metric("data", 'trading_md_quarantined_total{reason="not_positive"}')
    assert counted == 2


def test_losing_postgresql_stops_no_market_data(here: Site) -> None:
    here.start("venue", here.venue_settings(day_s="0.05"))
    here.start("data", here.data_settings(day_s="0.05"))
    here.wait_ready("data")
    here.books_server.process.kill()
    before = len(here.closes())
    with here.explained("data"):
        wait_for(lambda: len(here.closes()) > before + 30, "days without the books")
    answer = here.ask("data", "/readyz")
    assert answer.status_code == 503
    assert "books" in answer.json()["detail"]
    here.books_server.process.start()
    here.wait_ready("data")
    seqs = contiguous(here.closes())
    wait_for(lambda: stored(here)[-1] >= seqs[-1], "the buffered days stored")
    assert stored(here)[HISTORY_DAYS : HISTORY_DAYS + len(seqs)] == seqs


def test_a_bus_that_was_away_or_lost_its_data_gets_what_it_lacks(here: Site) -> None:
    here.start("venue", here.venue_settings(day_s="0.05"))
    here.start("data", here.data_settings(day_s="0.05"))
    here.wait_ready("data")
    wait_for(lambda: len(here.closes()) > 10, "days")
    here.bus_server.process.kill()
    wait_for(lambda: here.ask("data", "/readyz").status_code == 503, "not ready")
    here.bus_server.process.start()
    here.wait_ready("data")
    assert contiguous(here.closes())[0] == FIRST_LIVE
    client = here.valkey()
    client.flushall()
    client.close()
    with here.explained("data"):
        wait_for(lambda: len(here.closes()) > 20, "days again")
    assert contiguous(here.closes())[0] == FIRST_LIVE


def test_an_idle_tape_is_restored_to_an_emptied_bus(here: Site) -> None:
    start_with_tape(here, tape(here.home / "tape.csv", 8), "0.05")
    here.wait_ready("data")
    wait_for(lambda: len(here.closes()) == 5, "the whole tape")
    here.apps["data"].kill()
    client = here.valkey()
    client.flushall()
    client.close()
    here.apps["data"].start()
    here.wait_ready("data")
    with here.explained("data"):
        wait_for(lambda: len(here.closes()) == 5, "the whole tape again")
    assert contiguous(here.closes()) == [3, 4, 5, 6, 7]


def test_a_probe_carries_the_last_prices_and_the_test_symbol(here: Site) -> None:
    start_with_tape(here, tape(here.home / "tape.csv", 8), "0.05")
    here.wait_ready("data")
    wait_for(lambda: len(here.closes()) == 5, "the whole tape")
    entries = [here.ask("data", "/probe", id=f"p-{n}").json()["entry"] for n in range(3)]
    assert entries == ["8-1", "8-2", "8-3"]
    entry, probe = here.closes()[-1]
    assert (entry, probe.probe, probe.seq) == ("8-3", "p-2", 7)
    assert probe.prices["ZVZZT"] == Decimal(10)
    assert probe.prices["AAA"] == Decimal("10.7000")
    assert 0 < probe.stamps.data_in <= probe.stamps.published
    for body in ({"id": "no good"}, {"id": ""}, {"name": "p"}):
        assert here.ask("data", "/probe", **body).status_code == 400
    # After a restart the numbering goes on behind what is there.
    here.apps["data"].stop()
    here.apps["data"].start()
    here.wait_ready("data")
    assert here.ask("data", "/probe", id="p-3").json()["entry"] == "8-4"


def test_at_speed_0_a_day_is_released_once_its_decision_is_done(
    here: Site, venue: FakeVenue
) -> None:
    path = tape(here.home / "tape.csv", 12)
    here.start("data", here.data_settings(source=str(path), history_until="2020-01-04", day_s="0"))
    wait_for(lambda: venue.subscriptions == [3], "subscription")
    venue.day(3, "20200104", [("5", "AAA", "10.3"), ("5", "BBB", "20.3")])
    wait_for(lambda: len(here.closes()) == 1, "the first day")
    client = here.valkey()

    def done(decision: str, seq: int) -> None:
        raw = f'{{"type":"decision_done","index":1,"decision":"{decision}","seq":{seq}}}'
        client.xadd("orders", {"m": raw})

    done("other-3", 3)
    done("momentum-probe", 3)
    done("momentum-3", 3)
    wait_for(lambda: len(venue.released) > 0, "release")
    assert venue.released[0] == 3
    # A day that nobody can decide on is released by the data app itself.
    venue.day(4, "20200104", [("5", "AAA", "10.4"), ("5", "BBB", "20.4")])
    wait_for(lambda: 4 in venue.released, "release of a day without a usable date")
    # A release that got lost is sent again.
    wait_for(lambda: venue.released.count(4) > 1, "another release")
    client.close()


def test_what_the_venue_says_wrongly_is_kept_aside(here: Site, venue: FakeVenue) -> None:
    path = tape(here.home / "tape.csv", 12)
    here.start("data", here.data_settings(source=str(path), history_until="2020-01-04"))
    wait_for(lambda: venue.subscriptions == [3], "subscription")
    venue.day(
        3,
        "20200104",
        [
            *(("5", "AAA", "10.3"), ("0", "AAA", "10.4"), ("1", "AAA", "10.2")),
            *(("5", "BBB", "20.3"), ("5", "CCC", "1"), ("5", "BBB", "20.4")),
        ],
    )
    venue.day(3, "20200104", [("5", "AAA", "10.3")])
    venue.day(6, "20200107", [("5", "AAA", "10.6")])
    wait_for(lambda: venue.subscriptions == [3, 4], "days asked for again")
    venue.day(7, "20200108", [("5", "AAA", "10.7")], request="former")
    venue.day(4, "20200105", [("5", "AAA", "10.4"), ("5", "BBB", "20.4")])
    venue.day(6, "20200107", [("5", "AAA", "10.6"), ("5", "BBB", "20.6")])
    wait_for(lambda: venue.subscriptions == [3, 4, 5], "the missing day asked for")
    # The venue has no day 5: it goes on with day 6, and the gap is recorded.
    venue.day(6, "20200107", [("5", "AAA", "10.6"), ("5", "BBB", "20.6")])
    wait_for(lambda: [c.seq for _, c in here.closes()] == [3, 4, 6], "day 6 taken")

    def quarantined() -> list[tuple[object, ...]]:
        return here.query("SELECT seq, symbol, reason FROM quarantine ORDER BY id")

    wait_for(lambda: len(quarantined()) == 8, "eight records")
    assert sorted(map(str, quarantined())) == sorted(
        map(
            str,
            [
                (3, "AAA", "crossed"),
                (3, "CCC", "unknown_instrument"),
                (3, "BBB", "duplicate"),
                (3, "AAA", "stale"),
                (6, "AAA", "out_of_order"),
                (6, "AAA", "out_of_order"),
                (6, "BBB", "out_of_order"),
                (5, "", "missing"),
            ],
        )
    )


def test_a_refusal_of_the_venue_shows_in_readiness(here: Site, venue: FakeVenue) -> None:
    path = tape(here.home / "tape.csv", 12)
    here.start("data", here.data_settings(source=str(path), history_until="2020-01-04"))
    here.wait_ready("data")
    venue.send("Y", [(262, "md-1"), (281, "8"), (58, "no such feed")])
    wait_for(lambda: here.ask("data", "/readyz").status_code == 503, "not ready")
    assert "no such feed" in here.ask("data", "/readyz").json()["detail"]


def test_without_the_books_the_app_waits_and_says_so(here: Site) -> None:
    here.books_server.process.kill()
    here.start("venue", here.venue_settings())
    here.start("data", here.data_settings())
    wait_for(lambda: "waiting for the books" in _detail(here), "an answer")
    here.books_server.process.start()
    here.wait_ready("data")


def _detail(here: Site) -> str:
    try:
        return str(here.ask("data", "/readyz").json()["detail"])
    except httpx.TransportError:
        return ""
