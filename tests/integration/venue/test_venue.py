"""The venue over real FIX: orders, drop copies, market data, refusals, and kill -9."""

from __future__ import annotations

import asyncio
from collections import Counter

from apps.core.fix import Pair, Tag
from apps.venue.record import read
from tests.integration.venue.conftest import (
    DATA,
    DROP,
    ORDERS,
    TRANSACT_TIME,
    Firm,
    RunningVenue,
    logged_on,
)

ALL: list[Pair] = [(263, "1"), (264, "1"), (265, "1"), (267, "3"), (269, "0"), (269, "1")]
ALL += [(269, "5"), (146, "1"), (55, "*")]


async def ready(firm: Firm) -> Firm:
    """Wait until every session is logged on."""
    on = firm.engine.logged_on
    await firm.until(lambda: all(map(on, (ORDERS, DROP, DATA))), "logon")
    return firm


def test_orders_and_their_drop_copies(venue: RunningVenue) -> None:
    async def scenario() -> None:
        async with logged_on(venue) as firm:
            await ready(firm)
            firm.order("fills")
            firm.order("fills")
            firm.order("rests", (59, "0"), limit="1.0000")
            firm.order("probe", (55, "ZVZZT"), limit="10.0000")
            request: list[Pair] = [(55, "AAPL"), (54, "1"), TRANSACT_TIME]
            firm.engine.send(ORDERS, "H", [(11, "rests"), *request])
            firm.engine.send(ORDERS, "F", [(11, "cancel"), (41, "rests"), *request])
            firm.engine.send(ORDERS, "F", [(11, "again"), (41, "rests"), *request])
            firm.engine.send(ORDERS, "H", [(11, "nobody"), *request])
            await firm.until(lambda: len(firm.of(ORDERS)) >= 10, "all answers")
            told = [(name, kind) for name, kind, _ in firm.reports()]
            assert told == [
                ("fills", "0"),
                ("fills", "F"),
                ("fills", "8"),
                ("rests", "0"),
                ("probe", "0"),
                ("probe", "4"),
                ("rests", "I"),
                ("cancel", "4"),
                ("nobody", "I"),
            ]
            assert [m.msg_type for m in firm.of(ORDERS)].count("9") == 1
            copies = [report for report in firm.reports() if report[1] != "I"]
            await firm.until(lambda: len(firm.of(DROP)) >= len(copies), "drop copies")
            assert firm.reports(DROP) == copies

    asyncio.run(scenario())


def test_market_data_from_a_sequence_on(venue: RunningVenue) -> None:
    async def scenario() -> None:
        async with logged_on(venue) as firm:
            await ready(firm)

            def days() -> list[int]:
                return [int(m.get(Tag.SEQ)) for m in firm.of(DATA) if m.msg_type == "X"]

            firm.engine.send(DATA, "V", [(262, "all"), *ALL, (Tag.FROM_SEQ, "5041")])
            await firm.until(lambda: len(days()) == 3, "the days asked for")
            assert days() == [5041, 5042, 5043]
            snapshots = [m for m in firm.of(DATA) if m.msg_type == "W"]
            assert len({m.get(55) for m in snapshots}) == 20
            entries = firm.of(DATA)[-1].group(268, 279)
            assert len([e for e in entries if e[269] == "5"]) == 20
            bids = {e[55]: float(e[270]) for e in entries if e[269] == "0"}
            offers = {e[55]: float(e[270]) for e in entries if e[269] == "1"}
            assert all(bids[symbol] < offers[symbol] for symbol in bids)
            released: list[Pair] = [(262, "next"), (263, "0"), *ALL[1:]]
            firm.engine.send(DATA, "V", [*released, (Tag.RELEASE_SEQ, "5043")])
            await firm.until(lambda: days()[-1] == 5044, "the released day")
            firm.engine.send(DATA, "V", [*released, (Tag.RELEASE_SEQ, "5043")])
            firm.engine.send(DATA, "V", [*released, (Tag.RELEASE_SEQ, "5044")])
            await firm.until(lambda: days()[-1] == 5045, "the next, and none for the old release")
            assert days() == [5041, 5042, 5043, 5044, 5045]

    asyncio.run(scenario())


def test_a_wrong_password_gets_nowhere(venue: RunningVenue) -> None:
    async def scenario() -> None:
        async with logged_on(venue, password="guess") as firm:
            await firm.until(
                lambda: "wrong password" in venue.process.log(), "the refusal in the log"
            )
            assert not firm.engine.logged_on(ORDERS)
            assert not firm.order("a")

    asyncio.run(scenario())
    assert venue.get("/metrics", token="guess").status_code == 401
    assert venue.get("/readyz").status_code == 200


def test_no_report_is_lost_or_doubled_when_it_is_killed(venue: RunningVenue) -> None:
    async def scenario() -> None:
        async with logged_on(venue) as firm:
            await ready(firm)
            sent = 0
            for round_ in range(3):
                for number in range(150):
                    sent += firm.order(f"r{round_}-{number}", (59, "0"))
                    if number == 100:
                        venue.process.kill()
                await asyncio.to_thread(venue.start)
                await ready(firm)
            recorded = [row["exec_id"] for row in read(venue.settings.record) if "exec_id" in row]
            await firm.until(
                lambda: {exec_id for _, _, exec_id in firm.reports()} >= set(recorded),
                "every recorded report",
            )
            assert len(recorded) == len(set(recorded))
            told = Counter(firm.reports())
            assert {exec_id for _, _, exec_id in told} == set(recorded)
            assert [report for report, times in told.items() if times > 1] == []
            assert sent >= 300

    asyncio.run(scenario())
    assert venue.get("/record").content == venue.settings.record.read_bytes()
