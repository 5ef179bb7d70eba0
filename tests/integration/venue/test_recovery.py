"""The venue dies at any instant: what it recorded reaches the firm, once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from apps.core.fix import Logon
from apps.venue.lines import Accept, Execution, LogoutLine, Report
from apps.venue.record import encode
from tests.integration.venue.market import DROP, ORD, Firm, Market, firm, market
from tests.support.servers import wait_for


def exec_ids(at: Firm, session: str) -> Counter[str]:
    """Return how often each execution arrived, resent copies of a message aside."""
    found: dict[int, str] = {}
    for message in at.messages(session, "8"):
        if message.get(150) != "I":
            found[message.seq] = message.get(17)
    return Counter(found.values())


async def stream(at: Firm, market_: Market, name: str, kill_after: int) -> None:
    """Send orders as fast as they go, and kill the venue while they are in flight."""
    for number in range(10_000):
        try:
            await at.order(f"{name}-{number}")
        except AssertionError:
            return
        if number % 20 == 0:
            await asyncio.sleep(0)
        if len(at.messages(ORD, "8")) >= kill_after:
            market_.process.kill()
            return


@pytest.mark.parametrize("kill_after", [1, 57, 400])
def test_kill_under_a_stream_of_orders(tmp_path: Path, kill_after: int) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            await stream(at, venue, "k", kill_after)
            venue.process.kill()
            logons = sum(isinstance(e, Logon) for e in at.seen)
            await asyncio.to_thread(venue.start)
            await at.until(
                lambda: sum(isinstance(e, Logon) for e in at.seen) >= logons + 2, "logons again"
            )
            # An order sent before the venue's ResendRequest is answered would be gap-filled away
            # (orders are never re-sent); a status request is re-sent, and its answer ends that.
            await at.status("nobody")
            await at.order("after")
            await at.told(ORD, "after", 2)
            await at.told(DROP, "after", 2)
            for session in (ORD, DROP):
                recorded = {
                    x.exec_id
                    for x in venue.lines(Report)
                    if not (isinstance(x, Execution) and x.maker)
                }
                told = exec_ids(at, session)
                assert told.keys() == recorded
                # A report may come again as PossResend only if the store had not counted it.
                assert {i for i, n in told.items() if n > 1} == set()
            accepted = Counter(x.cl_ord_id for x in venue.lines(Accept))
            assert max(accepted.values()) == 1
            assert len(accepted) > 1

    with market(tmp_path, depth_shares=100_000_000) as venue:
        asyncio.run(scenario())


def test_recorded_but_never_handed_to_the_engine(tmp_path: Path) -> None:
    """The widest gap: the record has reports of which the engine's store knows nothing."""

    async def before() -> None:
        async with firm(venue) as at:
            await at.order("one")
            await at.told(ORD, "one", 2)
            await at.told(DROP, "one", 2)

    async def after() -> None:
        async with firm(venue) as at:
            for session in (ORD, DROP):
                reports = await at.told(session, "two", 2)
                assert [r.get(150) for r in reports] == ["0", "F"]
                assert [r.get(97) for r in reports] == ["Y", "Y"]
                assert at.reports(session, "one") == []
            assert (await at.status("two")).get(39) == "2"
            await at.order("two")
            assert (await at.told(ORD, "two", 3))[-1].get(103) == "6"

    with market(tmp_path) as venue:
        asyncio.run(before())
        venue.process.stop()
        lines = venue.lines()
        group = [x for x in lines if isinstance(x, Report) and x.cl_ord_id == "one"]
        maker = next(x for x in lines if isinstance(x, Execution) and x.maker)
        forged: list[Any] = []
        n = lines[-1].n
        for line in (*group, maker):
            n += 1
            changes = {"n": n, "exec_id": f"E{n}", "order_id": f"O{lines[-1].n + 1}"}
            text = {"cl_ord_id": "two", "session": ORD} if line is not maker else {}
            if line is maker:
                changes["order_id"] = maker.order_id
            forged.append(_with(line, changes | text))
        with venue.settings.record.open("ab") as record:
            record.write(encode(forged))
            record.write(b'{"v":1,"more":1,"kind":"accept","n":99')  # and a torn end
        venue.start()
        assert venue.metric("trading_venue_resent_reports_total") == 4
        asyncio.run(after())
        assert [x.n for x in venue.lines()] == list(range(1, len(venue.lines()) + 1))


def _with(line: Report, changes: dict[str, object]) -> Report:
    fields = {name: getattr(line, name) for name in line.__struct_fields__}
    return type(line)(**(fields | changes))


def test_state_is_the_same_after_a_kill(tmp_path: Path) -> None:
    async def enter() -> None:
        async with firm(venue) as at:
            await at.order("rest", price="95", tif="0", qty="40")
            await at.told(ORD, "rest")
            await at.order("used-up", qty="1000")
            await at.told(ORD, "used-up", 2)
            venue.process.kill()

    async def look() -> None:
        async with firm(venue) as at:
            status = await at.status("rest")
            assert (status.get(39), status.get(151)) == ("0", "40")
            assert (await at.status("used-up")).get(14) == "1000"
            (gone,) = await at.cancel("c", "rest")
            assert gone.get(39) == "4"
            await at.order("again", qty="1000")  # the market maker's quote was renewed
            assert (await at.told(ORD, "again", 2))[1].get(39) == "2"

    with market(tmp_path) as venue:
        asyncio.run(enter())
        venue.start()
        asyncio.run(look())


def test_cancel_on_disconnect(tmp_path: Path) -> None:
    async def enter(name: str) -> None:
        async with firm(venue) as at:
            await at.order(name, price="95", tif="0")
            await at.told(ORD, name)

    async def look(name: str) -> None:
        async with firm(venue) as at:
            (canceled,) = await at.told(ORD, name)
            assert (canceled.get(150), canceled.get(58)) == ("4", "session disconnected")

    with market(tmp_path, on_disconnect="cancel") as venue:
        asyncio.run(enter("cut"))
        wait_for(lambda: any(x.session == ORD for x in venue.lines(LogoutLine)), "the logout")
        asyncio.run(look("cut"))
        asyncio.run(enter("killed"))


def test_a_drain_is_quick_and_leaves_a_whole_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            await at.order("last")
            await at.told(ORD, "last", 2)
            started = time.monotonic()
            assert await asyncio.to_thread(venue.process.stop) == 0
            assert time.monotonic() - started < 5

    with market(tmp_path) as venue:
        asyncio.run(scenario())
        assert {x.session for x in venue.lines(LogoutLine)} == {ORD, DROP}
