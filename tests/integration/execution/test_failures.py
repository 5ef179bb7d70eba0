"""What breaks around the order path, one thing at a time: docs/failures.md names each test."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from apps.core import etcd as store
from apps.core.bus import Bus
from apps.core.etcd import NoSpace
from apps.core.messages import Side
from tests.integration.execution.platform import (
    Heard,
    Platform,
    decision,
    eventually,
    hearing,
    market,
    platform,
    reconciled,
    submit,
)
from tests.integration.execution.test_execution import venue_rows
from tests.support import servers

BUY = Side.BUY
SOON_S = 2.0
"""One second, and one more for a machine that does much beside."""


async def new_orders_stop(running: Platform, bus: Bus, heard: Heard, number: int) -> None:
    """Wait until it is said that nothing can be journaled; then no order may leave."""
    await eventually("it is said", lambda: "journal" in running.ready("execution"), SOON_S)
    assert running.metric("trading_journal_writable") == 0
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
    assert running.metric("trading_journal_writable") == 1


def broken(
    strike: Callable[[Platform, Bus, Heard], Awaitable[None]],
    journal: Callable[[], AbstractContextManager[servers.EtcdServer]] = servers.etcd,
) -> None:
    """Run a platform that trades, strike it, and compare all accounts at the end."""

    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            await submit(bus, [decision(0, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, 0)
            await strike(running, bus, heard)
        for name, findings in (await reconciled(running)).items():
            assert findings.clean, (name, findings)

    with platform(journal=journal) as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_without_a_quorum_new_orders_stop_and_that_is_said() -> None:
    async def strike(running: Platform, bus: Bus, heard: Heard) -> None:
        others = running.etcd.members[:2]
        for member in others:
            member.popen.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
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
            filler, written = b"x" * 500_000, 0
            try:
                while written < 100:
                    await other.store.attempt([], [store.put("/other", filler)], [])
                    written += 1
            except NoSpace:
                pass
            assert 0 < written < 100
            await eventually(
                "it is said", lambda: running.metric("trading_journal_writable") == 0, SOON_S
            )
            await submit(bus, [decision(1, ("AAPL", BUY, 5))])
        # All but the last of the filler is superseded: compacting gives it back.
        await orders_go_on(running, heard, 1)

    broken(strike, functools.partial(servers.etcd, 1, "--quota-backend-bytes=4000000"))


def test_a_full_disk_under_the_journal_stops_new_orders_until_there_is_room() -> None:
    with servers.small_disk(200) as disk:

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
