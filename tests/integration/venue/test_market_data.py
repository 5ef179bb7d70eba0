"""Market data through FIX: snapshots, whole days, catch-up, and who moves the tape."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from apps.core.fix import Received
from apps.venue.lines import DayLine, Expire
from tests.integration.venue.market import MD, ORD, firm, market
from tests.support.servers import wait_for


def entries(day: Received) -> dict[tuple[str, str], dict[int, str]]:
    return {(e[55], e[269]): e for e in day.group(268, 279)}


def test_snapshot_then_every_day_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, MD) as at:
            at.subscribe(0)
            (first,) = await at.days(0)
            tops = {m.get(55): {e[269]: e for e in m.group(268, 269)} for m in at.messages(MD, "W")}
            assert tops.keys() == {"AAA", "BBB", "ZVZZT"}
            assert tops["ZVZZT"] == {}
            assert Decimal(tops["AAA"]["0"][270]) < 100 < Decimal(tops["AAA"]["1"][270])
            assert tops["AAA"]["0"][271] == "1000"
            found = entries(first)
            assert found["AAA", "5"][270] == "100"
            assert found["BBB", "5"][270] == "50.5"
            assert found["AAA", "0"][270] == tops["AAA"]["0"][270]
            assert (found["AAA", "1"][272], found["AAA", "1"][273]) == ("20200102", "21:00:00")

            at.release(5)  # not the day that it stands at: nothing moves
            at.release(0)
            await at.days(0, 1)
            at.release(1)
            odd = entries((await at.days(0, 1, 2))[2])
            assert odd["BBB", "5"][58] == "oops"
            assert ("BBB", "0") not in odd

    with market(tmp_path) as venue:
        asyncio.run(scenario())
        assert [line.seq for line in venue.lines(DayLine)] == [0, 1, 2]
        assert venue.metric("trading_venue_unquoted_closes_total") == 1


def test_a_late_subscriber_catches_up_and_a_restart_stands_at_the_same_day(tmp_path: Path) -> None:
    async def advance() -> None:
        async with firm(venue, MD) as at:
            at.subscribe(0)
            for seq in (0, 1):
                await at.days(*range(seq + 1))
                at.release(seq)
            await at.days(0, 1, 2)

    async def catch_up() -> None:
        async with firm(venue, ORD, MD) as at:
            at.subscribe(1, ["AAA"])
            days = await at.days(1, 2)
            assert {symbol for symbol, _ in entries(days[0])} == {"AAA"}
            at.release(2)
            await at.days(1, 2, 3)
            at.release(3)  # the tape's end: it stays, alive and trading
            await at.order("late", price="103")
            assert (await at.told(ORD, "late", 2))[1].get(75) == "20200107"
            assert len(at.messages(MD, "X")) == 3

    with market(tmp_path) as venue:
        asyncio.run(advance())
        venue.process.kill()
        venue.start()
        asyncio.run(catch_up())
        assert venue.metric("trading_venue_tape_ended") == 1


def test_the_clock_moves_the_tape_from_the_first_subscription_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, MD) as at:
            await at.order("rests", price="90", tif="0")
            await at.told(ORD, "rests")
            await asyncio.sleep(0.3)  # three days of the tape: nobody listens, it stands
            assert (await at.status("rests")).get(39) == "0"
            at.subscribe(0)
            await at.days(0, 1, 2, 3)
            assert (await at.told(ORD, "rests", 2))[1].get(150) == "C"

    with market(tmp_path, day_s="0.1") as venue:
        asyncio.run(scenario())
        (expired,) = venue.lines(Expire)
        assert (expired.cl_ord_id, expired.day) == ("rests", "2020-01-02")
        wait_for(lambda: venue.metric("trading_venue_tape_ended") == 1, "the tape's end")


def test_a_resting_order_trades_when_the_next_price_reaches_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, MD) as at:
            await at.order("reached", price="100.9", tif="0", qty="7", side="2")
            await at.order("missed", price="99.5", tif="0", qty="7")
            await at.told(ORD, "reached")
            await at.told(ORD, "missed")
            at.subscribe(1)
            at.release(0)  # 100 -> 101
            await at.days(1)
            fill = (await at.told(ORD, "reached", 2))[1].fields()
            assert (fill[150], fill[31], fill[75]) == ("F", "100.9000", "20200102")
            assert (await at.told(ORD, "missed", 2))[1].get(150) == "C"

    with market(tmp_path) as venue:
        asyncio.run(scenario())


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, MD) as at:
            at.subscribe(0, ["NONE"])
            await at.until(lambda: bool(at.messages(MD, "Y")), "a refusal")
            (refused,) = at.messages(MD, "Y")
            assert (refused.get(262), refused.get(281)) == ("r", "0")

    with market(tmp_path) as venue:
        asyncio.run(scenario())
