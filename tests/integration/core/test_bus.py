"""The client of the bus against a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest
from valkey.exceptions import ResponseError

from apps.core.bus import MD, ORDERS, PORTFOLIO, START, Bus, BusDown, BusSlow, Moved
from apps.core.messages import Close, DecisionDone, Portfolio, Stamps
from tests.support.servers import ValkeyServer, valkey

CLOSE = Close(
    seq=1, day="2026-01-05", event_ns=1, prices={"AAA": Decimal("1.5")}, stamps=Stamps(data_in=7)
)
HELD = Portfolio(
    index=3, cash=Decimal(5), positions={}, open_qty={}, last_decision={}, halted=False
)
DONE = DecisionDone(index=7, decision="s-1", seq=1)


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as running:
        yield running


@asynccontextmanager
async def opened(server: ValkeyServer, *, one_caller: bool = True) -> AsyncIterator[Bus]:
    bus = Bus("127.0.0.1", server.port, server.password, one_caller=one_caller)
    try:
        yield bus
    finally:
        await bus.close()


def on(server: ValkeyServer, work: Callable[[Bus], Awaitable[None]]) -> None:
    async def go() -> None:
        async with opened(server) as bus:
            await work(bus)

    asyncio.run(go())


def test_a_stream_is_read_together_with_a_key_as_it_is_when_a_message_comes(
    server: ValkeyServer,
) -> None:
    async def work(bus: Bus) -> None:
        assert await bus.read_with(MD, START, PORTFOLIO, block_ms=1) == ([], None)
        waiting = asyncio.create_task(bus.read_with(MD, START, PORTFOLIO, block_ms=5_000))
        await asyncio.sleep(0.05)
        async with opened(server, one_caller=False) as other:
            await other.put(PORTFOLIO, HELD)  # after the reader began to wait
            entry = await other.publish(MD, CLOSE)
        assert await waiting == ([(entry, CLOSE)], HELD)
        assert await bus.get(PORTFOLIO) == HELD  # no answer is left over for the next question

    on(server, work)


def test_one_of_several_commands_that_is_refused_leaves_the_connection_in_order(
    server: ValkeyServer,
) -> None:
    async def work(bus: Bus) -> None:
        await bus.put("text", HELD)
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await bus.client.together(("LLEN", "text"), ("GET", "text"))
        assert await bus.get("text") == HELD

    on(server, work)


def test_an_append_goes_behind_the_entry_that_it_names_or_nowhere(server: ValkeyServer) -> None:
    async def work(bus: Bus) -> None:
        await bus.append(MD, CLOSE, behind=START, entry="2-0")
        await bus.append(MD, CLOSE, behind=START, entry="2-0")  # the answer was lost: asked again
        await bus.append(MD, CLOSE, behind="2-0", entry="2-1")
        with pytest.raises(Moved) as moved:
            await bus.append(MD, CLOSE, behind="2-0", entry="3-0")
        assert moved.value.newest == "2-1"
        assert [entry for entry, _ in await bus.read(MD, START)] == ["2-0", "2-1"]

    on(server, work)


def test_a_task_that_is_cancelled_while_it_sends_ends(server: ValkeyServer) -> None:
    async def work(bus: Bus) -> None:
        await bus.put("k", HELD)

        async def send_for_ever() -> None:
            while True:
                await bus.put("k", HELD)

        for turn in range(200):  # at another instant of the sending each time
            task = asyncio.create_task(send_for_ever())
            for _ in range(turn % 20):
                await asyncio.sleep(0)
            task.cancel()
            _, pending = await asyncio.wait({task}, timeout=5)
            assert not pending
            assert task.cancelled()

    on(server, work)


def test_a_bus_that_is_gone_is_named_and_found_again(server: ValkeyServer) -> None:
    async def work(bus: Bus) -> None:
        await bus.put("k", HELD)
        server.process.kill()
        with pytest.raises((BusDown, BusSlow)):
            await bus.get("k")
        server.process.start()
        await bus.put("k", HELD)
        assert await bus.get("k") == HELD

    on(server, work)


def test_messages_are_told_in_their_order_and_a_key_with_them(server: ValkeyServer) -> None:
    many = [msgspec.structs.replace(DONE, index=index) for index in range(300)]

    async def work(bus: Bus) -> None:
        await bus.tell(ORDERS, many, key=PORTFOLIO, held=HELD)
        assert await bus.get(PORTFOLIO) == HELD
        told = await bus.read(ORDERS, START, block_ms=1)
        assert [message for _, message in told] == many
        await bus.tell(ORDERS, [DONE], key=PORTFOLIO, held=None)
        assert await bus.get(PORTFOLIO) == HELD
        assert await bus.last(ORDERS) == ((await bus.back(ORDERS, count=1))[0][0], DONE)

    on(server, work)
