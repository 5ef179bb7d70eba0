"""What breaks around the order path, one thing at a time: docs/failures.md names each test."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from apps.core import etcd as store
from apps.core.bus import Bus
from apps.core.etcd import NoSpace, OutcomeUnknown
from apps.core.messages import OrderState, Side
from opsctl.targets import quota
from tests.integration.execution.platform import (
    PRICES,
    TOKEN,
    Heard,
    Platform,
    decision,
    eventually,
    hearing,
    level,
    market,
    platform,
    reconciled,
    submit,
)
from tests.integration.execution.test_execution import resting, venue_rows
from tests.support import servers
from tests.support.process import freeze
from tests.support.small_disk import small_disk

BUY = Side.BUY
SESSIONS = tuple(f'trading_fix_session_up{{session="OPS-A-{name}"}}' for name in ("ORD", "DROP"))
SOON_S = 2.0
"""One second, and one more for a machine that does much beside."""


async def new_orders_stop(running: Platform, bus: Bus, heard: Heard, number: int) -> None:
    """Wait until it is said that nothing can be journaled; then no order may leave."""
    await eventually("it is said", lambda: "journal" in running.ready("execution"), SOON_S)
    await eventually("the gauge", lambda: running.metric("trading_journal_writable") == 0, SOON_S)
    before = len(venue_rows(running, "accept"))
    await submit(bus, [decision(number, ("AAPL", BUY, 5))])
    await asyncio.sleep(0.5)
    assert len(venue_rows(running, "accept")) == before
    assert f"test-{number}" not in heard.done


async def orders_go_on(running: Platform, heard: Heard, number: int) -> None:
    """Wait until a decision is done, and the journal is said to take writes."""
    await eventually("done", lambda: f"test-{number}" in heard.done)
    assert heard.done[f"test-{number}"].verdict == "done"
    running.until_ready("execution")
    await eventually("the gauge", lambda: running.metric("trading_journal_writable") == 1, SOON_S)


def broken(
    strike: Callable[[Platform, Bus, Heard], Awaitable[None]],
    journal: Callable[[], AbstractContextManager[servers.EtcdServer]] = servers.etcd,
    *,
    books: bool = False,
    behind: Sequence[str] = (),
    **overrides: Any,
) -> None:
    """Run a platform that trades, strike it, and compare all accounts at the end.

    `behind` are words before the command of execution.
    """

    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            await submit(bus, [decision(0, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, 0)
            await strike(running, bus, heard)
            if books:
                await level(running)
        for name, findings in (await reconciled(running)).items():
            assert findings.clean, (name, findings)

    with platform(journal=journal, books=books, **overrides) as running:
        running.processes["execution"].behind(*behind)
        for name in running.processes:
            running.start(name)
        asyncio.run(go(running))


def test_without_a_quorum_new_orders_stop_and_that_is_said() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        others = running.etcd.members[:2]
        for member in others:
            freeze(member.pid)
        await new_orders_stop(running, bus, heard, 1)
        for member in others:
            member.popen.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
        await orders_go_on(running, heard, 1)
        for member in others:
            member.kill()
        await new_orders_stop(running, bus, heard, 2)
        for member in others:
            member.start()
        await orders_go_on(running, heard, 2)

    broken(strike, functools.partial(servers.etcd, 3))


def test_a_journal_over_its_quota_stops_new_orders_and_gets_room_by_itself() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        async with running.journal() as other:
            put, refused = store.put("/other", b"x" * 500_000), False
            for _ in range(100):
                try:
                    await other.store.attempt([], [put], [])
                except NoSpace:
                    refused = True
                    break
                except OutcomeUnknown:  # a busy machine
                    continue
            assert refused
            await submit(bus, [decision(1, ("AAPL", BUY, 5))])
        # All but the last of the filler is superseded: compacting gives it back.
        await orders_go_on(running, heard, 1)
        assert running.metric('trading_journal_room_made_total{result="made"}') >= 1

    broken(strike, functools.partial(servers.etcd, 1, "--quota-backend-bytes=4000000"))


def test_a_full_disk_under_the_journal_stops_new_orders_until_there_is_room() -> None:
    with small_disk(200) as disk:

        async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
            disk.fill()
            async with running.journal() as other:
                for _ in range(200):
                    if not running.etcd.process.alive:
                        break
                    put = store.put("/other", b"x" * 500_000)
                    try:
                        await other.store.attempt([], [put], [])
                    except store.EtcdError:
                        await asyncio.sleep(0.02)
            assert not running.etcd.process.alive, "a member without room ends"
            assert "no space left" in running.etcd.process.log()
            await new_orders_stop(running, bus, heard, 1)
            disk.filler.unlink()
            running.etcd.process.start()
            await orders_go_on(running, heard, 1)

        broken(strike, functools.partial(servers.etcd, 1, disk=disk))


def test_a_slow_journal_makes_orders_late_and_loses_none() -> None:
    """A member that is stopped most of the time answers as one whose disk is slow."""

    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        member, over = running.etcd.process, asyncio.Event()

        async def slow() -> None:
            while not over.is_set():
                for number, rest_s in ((signal.SIGSTOP, 0.12), (signal.SIGCONT, 0.06)):
                    member.popen.send_signal(number)  # type: ignore[union-attr]
                    await asyncio.sleep(rest_s)

        slowing = asyncio.create_task(slow())
        try:
            for number in range(1, 41):
                await submit(bus, [decision(number, ("AAPL", BUY, 5), ("GE", Side.SELL, 3))])
                await asyncio.sleep(0.05)
            await eventually("all are done", lambda: len(heard.done) == 41)
        finally:
            over.set()
            await slowing
        assert {done.verdict for done in heard.done.values()} == {"done"}
        all_of_them = running.metric("trading_journal_append_seconds_count")
        quick = running.metric('trading_journal_append_seconds_bucket{le="0.05"}')
        assert quick < all_of_them * 0.99, "what the alert on slow appends goes by"

    broken(strike)


async def logged_on(running: Platform, up: bool) -> None:
    for name in SESSIONS:
        await eventually(name, lambda name=name: running.metric(name) == up)  # type: ignore[misc]


def test_sessions_that_are_lost_to_a_full_disk_are_dialled_again_once_there_is_room() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        execution = running.server("execution")
        await logged_on(running, True)
        quota.bound([execution.pid], full=True)
        await submit(bus, [decision(1, ("AAPL", BUY, 5))])
        await logged_on(running, False)  # by the next message of the venue, at the latest
        before = len(venue_rows(running, "logon"))
        await asyncio.sleep(2.5)  # two dials of each session under the full disk
        assert len(venue_rows(running, "logon")) == before
        quota.bound([execution.pid], full=False)
        await logged_on(running, True)
        await orders_go_on(running, heard, 1)
        await submit(bus, [decision(2, ("AAPL", BUY, 5))])
        await orders_go_on(running, heard, 2)
        assert execution.alive

    # What it says goes by a pipe, as it does where opsctl has started it.
    broken(strike, behind=("bash", "-c", 'exec "$@" > >(cat) 2>&1', "--"))


def test_a_full_disk_under_the_fix_store_holds_orders_up_until_there_is_room() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        disk.fill()
        for number in range(1, 60):
            await submit(bus, [decision(number, ("AAPL", BUY, 5))])
        # It sends nothing more, and is cut off for that.
        await eventually("it is lost", lambda: running.metric(SESSIONS[0]) == 0)
        disk.filler.unlink()
        await logged_on(running, True)
        await orders_go_on(running, heard, 59)

    with small_disk(1) as disk:
        broken(strike, behind=disk.enters, fix_store=disk.path / "fix-store")


def test_a_bus_that_is_lost_stops_decisions_and_is_said_and_comes_back() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        assert running.metric("trading_bus_up") == 1
        running.valkey.process.kill()
        await eventually("it is said", lambda: running.metric("trading_bus_up") == 0, 3.0)
        assert "bus" in running.ready("execution")
        running.valkey.process.start()
        await eventually("the bus is back", lambda: running.metric("trading_bus_up") == 1)
        await submit(bus, [decision(1, ("AAPL", BUY, 5))])
        await orders_go_on(running, heard, 1)

    broken(strike)


def test_books_that_are_lost_stop_no_order_and_get_every_record_once() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        assert running.postgres is not None
        await level(running)
        assert running.metric("trading_books_up", "projector") == 1
        running.postgres.process.kill()
        for number in range(1, 6):
            await submit(bus, [decision(number, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, number)
        await eventually("it is said", lambda: running.metric("trading_books_up", "projector") == 0)
        assert "PostgreSQL" in running.ready("projector")
        running.postgres.process.start()

    broken(strike, books=True)


def test_what_the_venue_refuses_is_counted_and_over() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        await market(bus, 1, {**PRICES, "XYZ": Decimal("10.0000")})
        asked = decision(1, ("AAPL", BUY, 5))
        (one,) = asked.intents
        unlisted = msgspec.structs.replace(one, symbol="XYZ", limit=Decimal("10.0000"))
        await submit(bus, [msgspec.structs.replace(asked, intents=(unlisted,))])
        await orders_go_on(running, heard, 1)
        assert running.metric('trading_venue_refusals_total{what="order"}') == 1
        assert heard.orders()[unlisted.id].state is OrderState.REJECTED
        await submit(bus, [decision(2, ("AAPL", BUY, 5))])
        await orders_go_on(running, heard, 2)

    broken(strike)


def ask_to_stop(running: Platform) -> httpx.Response:
    """Ask execution to stop by itself, as `opsctl halt` does where the journal is silent."""
    return httpx.post(
        f"http://127.0.0.1:{running.ports['execution']}/stop",
        json={"by": "alice", "reason": "no journal"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )


async def cancelled_without_the_journal(running: Platform, bus: Bus, heard: Heard) -> str:
    """Leave an order resting, take the journal away, and stop; return the order's id."""
    order = await resting(running, heard, bus, 1)
    early = ask_to_stop(running)
    assert early.status_code == 409, "while the journal takes writes, it alone halts"
    assert "opsctl halt" in early.json()["detail"]
    running.etcd.process.kill()
    await new_orders_stop(running, bus, heard, 2)
    done = ask_to_stop(running)
    assert (done.status_code, done.json()["cancelled"]) == (200, [order])
    await eventually("it is cancelled", lambda: [*cancels(running)] == [order])
    again = ask_to_stop(running).json()
    assert order not in again["left"]
    assert running.metric("trading_unjournaled_cancels_total") >= 1
    return order


def cancels(running: Platform) -> list[str]:
    return [row["orig_cl_ord_id"] for row in venue_rows(running, "cancel") if row["orig_cl_ord_id"]]


def test_without_the_journal_a_site_cancels_its_own_and_the_halt_is_journaled_later() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        order = await cancelled_without_the_journal(running, bus, heard)
        accepted = len(venue_rows(running, "accept"))
        running.etcd.process.start()
        # Decided before the halt, and on its way to the journal since: it must not leave.
        await eventually("settled", lambda: "test-2" in heard.done)
        await eventually(
            "the cancel is journaled", lambda: heard.orders()[order].state is OrderState.CANCELED
        )
        await eventually("the halt holds", lambda: running.metric("trading_halted") == 1)
        async with running.journal() as journal:
            halt = (await journal.kill_switch()).halt
            assert halt is not None
            assert (halt.by, halt.reason) == ("alice", "no journal")
            assert len(venue_rows(running, "accept")) == accepted
            assert (await journal.resume()).acknowledged
        await submit(bus, [decision(3, ("AAPL", BUY, 5))])
        await orders_go_on(running, heard, 3)
        assert cancels(running) == [order]

    broken(strike)


def test_a_process_that_died_unjournaled_is_sent_again_what_it_heard_and_stays_halted() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        order = await cancelled_without_the_journal(running, bus, heard)
        accepted = len(venue_rows(running, "accept"))
        running.server("execution").kill()
        running.etcd.process.start()
        running.start("execution")
        await eventually(
            "the cancel is journaled", lambda: heard.orders()[order].state is OrderState.CANCELED
        )
        assert running.metric('trading_reports_repeated_total{session="OPS-A-ORD"}') > 0
        await eventually("the halt holds", lambda: running.metric("trading_halted") == 1)
        async with running.journal() as journal:
            halt = (await journal.kill_switch()).halt
            assert halt is not None
            assert (halt.by, halt.reason) == ("alice", "no journal")
            assert len(venue_rows(running, "accept")) == accepted, "its promise was kept"
            assert (await journal.resume()).acknowledged
        await submit(bus, [decision(3, ("AAPL", BUY, 5))])
        await orders_go_on(running, heard, 3)

    broken(strike)


def test_a_halt_that_was_kept_is_not_brought_back_after_trading_was_resumed() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        await cancelled_without_the_journal(running, bus, heard)
        running.server("execution").kill()
        accepted, kept = len(venue_rows(running, "accept")), running.settings.halt_note
        assert kept is not None
        assert kept.exists()
        running.etcd.process.start()
        async with running.journal() as journal:
            # Another site has journaled the halt, and it was lifted while this one was away.
            await journal.halt(by="alice", reason="no journal")
            assert not (await journal.resume()).halted
        running.start("execution")
        await submit(bus, [decision(3, ("AAPL", BUY, 5))])
        await orders_go_on(running, heard, 3)
        assert len(venue_rows(running, "accept")) > accepted
        assert not kept.exists()

    broken(strike)
