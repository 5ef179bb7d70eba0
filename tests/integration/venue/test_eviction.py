"""A second logon: refused, or the older connection is put out, frozen or not."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from apps.core.fix import Logon, Logout
from apps.venue.lines import Accept, Cancel, Event, LogonLine, LogoutLine
from tests.integration.venue.client import client
from tests.integration.venue.market import B_DROP, DROP, ORD, SINGLE, Market, firm, market
from tests.support.servers import free_port, wait_for

HIGH = 100_000
"""A number beyond every one that the older client sent."""


def evicting(home: Path, **settings: object) -> AbstractContextManager[Market]:
    return market(home, second_logon="evict", fix_inner_port=free_port(), **settings)


def since_second_logon(at: Market, session: str) -> tuple[list[Event], list[Event]]:
    """Return the lines of the record before and after the second logon of a session."""
    lines = at.lines()
    logons = [i for i, x in enumerate(lines) if isinstance(x, LogonLine) and x.session == session]
    assert len(logons) == 2
    return lines[: logons[1]], lines[logons[1] :]


@pytest.mark.parametrize("frozen", [True, False])
def test_the_older_connection_is_dead_before_the_newer_is_logged_on(
    tmp_path: Path, frozen: bool
) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, outbound=HIGH) as at:
            await at.status("nobody")  # the gap of numbers is closed
            if frozen:
                await asyncio.to_thread(older.wake)
            await at.order("newer")
            await at.told(ORD, "newer", 2)
            assert not [e for e in at.seen if isinstance(e, Logout)]

    with evicting(tmp_path) as venue, client(venue, ORD) as older:
        older.wait_until_trading()
        if frozen:
            older.freeze()
        asyncio.run(scenario())
        older.wait_until_ended()
        assert len(older.heard("logon")) == 1
        before, after = since_second_logon(venue, ORD)
        assert [type(x) for x in before if isinstance(x, LogonLine | LogoutLine)] == [
            LogonLine,
            LogoutLine,
        ]
        assert [x.cl_ord_id for x in before if isinstance(x, Accept)]
        assert [x.cl_ord_id for x in after if isinstance(x, Accept)] == ["newer"]
        assert venue.metric(f'trading_venue_evictions_total{{session="{ORD}"}}') == 1


def test_what_the_frozen_client_was_told_reaches_its_successor(tmp_path: Path) -> None:
    """Under cancel-on-disconnect its orders are gone before the newer logon, and it hears so."""

    async def scenario() -> None:
        async with (
            firm(venue, DROP, B_DROP, store="drops") as drops,
            firm(venue, SINGLE, outbound=HIGH, store="b") as b,
        ):
            await b.status("nobody", session=SINGLE)
            open_ = [m for m in await b.mass_status(session=SINGLE) if m.get(39) == "0"]
            assert open_ == []
            gone = {x.cl_ord_id for x in venue.lines(Cancel)}
            for name in gone:
                for session in (DROP, B_DROP):
                    told = await drops.told(session, name, 2)
                    assert [m.get(150) for m in told] == ["0", "4"]
                resent = await b.told(SINGLE, name, 2)
                assert [m.get(150) for m in resent] == ["0", "4"]

    kept = {"sites": ["a", "b"], "sessions": "single", "on_disconnect": "cancel"}
    with evicting(tmp_path, **kept) as venue, client(venue, SINGLE) as older:
        older.wait_until_trading()
        older.freeze()
        asyncio.run(scenario())
        before, _ = since_second_logon(venue, SINGLE)
        accepted = {x.cl_ord_id for x in before if isinstance(x, Accept)}
        assert {x.cl_ord_id for x in before if isinstance(x, Cancel)} == accepted != set()


def test_who_does_not_know_the_password_evicts_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, password="guess", store="intruder", wait=False) as at:
            await at.until(lambda: bool(at.seen), "a refusal")
            assert not at.engines[ORD].logged_on(ORD)

    with evicting(tmp_path) as venue, client(venue, ORD) as older:
        older.wait_until_trading()
        asyncio.run(scenario())
        heard = len(older.heard("report"))
        wait_for(lambda: len(older.heard("report")) > heard, "the older client trades on")
        assert venue.lines(LogoutLine) == []


def test_the_front_survives_what_is_no_logon(tmp_path: Path) -> None:
    with evicting(tmp_path) as venue, client(venue, ORD) as older:
        older.wait_until_trading()
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000, b"\xff\x0110=000\x01"):
            with socket.create_connection(("127.0.0.1", venue.settings.fix_port)) as stranger:
                stranger.sendall(words)
        heard = len(older.heard("report"))
        wait_for(lambda: len(older.heard("report")) > heard, "the older client trades on")
        assert venue.get("/readyz").status_code == 200
        assert venue.process.stop() == 0
        assert "Traceback" not in venue.process.log()


def test_a_venue_that_refuses_keeps_the_older_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, outbound=HIGH, wait=False) as at:
            await at.until(lambda: bool(at.seen), "a refusal")
            assert not any(isinstance(e, Logon) for e in at.seen)
            heard = len(older.heard("report"))
            await asyncio.to_thread(
                wait_for, lambda: len(older.heard("report")) > heard, "the older client trades on"
            )

    with market(tmp_path) as venue, client(venue, ORD) as older:
        older.wait_until_trading()
        asyncio.run(scenario())
        assert len(venue.lines(LogonLine)) == 1
        assert venue.lines(LogoutLine) == []
