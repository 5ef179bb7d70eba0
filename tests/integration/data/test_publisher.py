"""The publisher against a real bus that is emptied in the middle of its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from valkey import Valkey

from apps.core.bus import MD, Bus
from apps.core.messages import Close, Stamps
from apps.data.publisher import Publisher
from tests.support.servers import ValkeyServer, valkey

DAYS = 12


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as running:
        yield running


def day(seq: int) -> Close:
    return Close(
        seq=seq, day="2026-01-05", event_ns=seq, prices={"AAA": Decimal(seq)}, stamps=Stamps()
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def published(bus: Bus) -> list[str]:
    return [entry for entry, _ in await bus.read(MD, "0-0", block_ms=1)]


@pytest.mark.parametrize("emptied_before", [2, 7, DAYS])
def test_a_bus_emptied_between_two_appends_gets_the_days_before_again(
    server: ValkeyServer, emptied_before: int
) -> None:
    asyncio.run(emptied(server, emptied_before))


async def emptied(server: ValkeyServer, emptied_before: int) -> None:
    client: Any = Valkey(port=server.port, password=server.password)
    stamped = 0

    def clock() -> int:
        nonlocal stamped
        stamped += 1
        if stamped == emptied_before:
            client.flushall()
        return stamped

    bus = Bus("127.0.0.1", server.port, server.password)
    days = Bus("127.0.0.1", server.port, server.password, one_caller=True)
    publisher = Publisher(days, clock)
    publisher.restore([day(seq) for seq in range(1, DAYS + 1)], day(DAYS))
    task = asyncio.create_task(publisher.run())
    try:

        async def whole() -> bool:
            return len(await published(bus)) == DAYS

        await until(whole)
        assert await published(bus) == [f"{seq + 1}-0" for seq in range(1, DAYS + 1)]
        assert await publisher.probe("one", 5) == f"{DAYS + 1}-1"
        assert await publisher.probe("two", 6) == f"{DAYS + 1}-2"
        publisher.put(day(DAYS + 1), day(DAYS + 1))
        assert await publisher.probe("three", 7) == f"{DAYS + 2}-1"
        assert (await published(bus))[-3:] == [
            f"{DAYS + 1}-2",
            f"{DAYS + 2}-0",
            f"{DAYS + 2}-1",
        ]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()
        await days.close()
        client.close()
