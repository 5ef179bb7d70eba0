"""The network app on real sockets: what it carries, each fault, and its undoing."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar

import pytest

from tests.integration.network.stage import PATIENCE_S, TOKEN, Stage, stage

LARGE = bytes(range(256)) * 4_096 * 32
"""32 MB: more than every buffer on the way together."""
TIMER_S = 0.01
"""The loops on both sides count in milliseconds, and what is due within one is done."""

Read = TypeVar("Read")


def on_stage(test: Callable[[Stage], Awaitable[None]]) -> Callable[[], None]:
    """Run a test on a stage of its own."""

    @wraps(test)
    def run() -> None:
        async def whole() -> None:
            async with stage() as found:
                await test(found)

        asyncio.run(whole())

    del run.__wrapped__  # pytest would take its argument for a fixture
    return run


async def soon(what: Awaitable[Read]) -> Read:
    return await asyncio.wait_for(what, PATIENCE_S)


async def broken(reader: asyncio.StreamReader) -> None:
    """Return where a connection was reset, and not ended in order."""
    with pytest.raises(ConnectionResetError):
        await soon(reader.read(1))


@on_stage
async def test_bytes_go_both_ways_and_are_counted(on: Stage) -> None:
    reader, writer = await on.dial()
    writer.write(b"heartbeat")
    assert await soon(on.far.readers[0].readexactly(9)) == b"heartbeat"
    on.far.writers[0].write(b"yes")
    assert await soon(reader.readexactly(3)) == b"yes"
    shown = await on.shown()
    assert (shown["carried_to_bytes"], shown["carried_from_bytes"]) == (9, 3)
    assert shown["connections"] == 1
    metrics = (await on.http.get("/metrics")).text
    assert 'trading_network_carried_bytes_total{link="a-b-peer",way="to"} 9.0' in metrics
    assert 'trading_network_connections{link="a-b-peer"} 1.0' in metrics
    writer.close()


@on_stage
async def test_a_half_closed_connection_goes_on_in_the_other_direction(on: Stage) -> None:
    reader, writer = await on.dial()
    writer.write(b"that is all")
    writer.write_eof()
    assert await soon(on.far.readers[0].read()) == b"that is all"
    on.far.writers[0].write(b"heard")
    assert await soon(reader.readexactly(5)) == b"heard"
    on.far.writers[0].write_eof()
    assert await soon(reader.read()) == b""
    while (await on.shown())["connections"]:
        await asyncio.sleep(0)


@on_stage
async def test_a_process_that_dies_is_heard_of_at_the_other_end(on: Stage) -> None:
    reader, writer = await on.dial()
    on.far.writers[0].transport.abort()
    assert await soon(reader.read()) == b""
    writer.close()


@on_stage
async def test_a_slow_reader_slows_the_sender_and_loses_nothing(on: Stage) -> None:
    _, writer = await on.dial()
    writer.write(LARGE)
    draining = asyncio.create_task(writer.drain())
    first = await soon(on.far.readers[0].readexactly(1_000_000))
    carried = (await on.shown())["carried_to_bytes"]
    assert carried < len(LARGE)  # the reader reads no more, so the app does not either
    rest = await soon(on.far.readers[0].readexactly(len(LARGE) - len(first)))
    await soon(draining)
    assert first + rest == LARGE
    writer.close()


async def _read_anew(on: Stage) -> None:
    again, _ = await on.open(on.plain)
    await soon(again.read(1))


@on_stage
async def test_a_cut_breaks_what_is_open_and_what_is_new_until_it_is_undone(on: Stage) -> None:
    reader, _ = await on.dial()
    assert (await on.disturb(cut=True))["connections"] == 0
    await broken(reader)
    await broken(on.far.readers[0])
    with pytest.raises(ConnectionResetError):  # while it connects, or right after
        await _read_anew(on)
    assert len(on.far.readers) == 1
    assert (await on.http.get("/readyz")).status_code == 200
    await on.restore()
    _, writer = await on.dial()
    writer.write(b"back")
    assert await soon(on.far.readers[1].readexactly(4)) == b"back"
    writer.close()


@pytest.mark.parametrize("way", ["to", "from"])
def test_a_drop_swallows_one_direction_and_its_undoing_breaks_the_stream(way: str) -> None:
    async def test(on: Stage) -> None:
        reader, writer = await on.dial()
        far_reader, far_writer = on.far.readers[0], on.far.writers[0]
        lost, kept = (writer, far_writer) if way == "to" else (far_writer, writer)
        hears, deaf = (reader, far_reader) if way == "to" else (far_reader, reader)
        await on.disturb(drop=way)
        lost.write(b"never")
        kept.write(b"heard")
        assert await soon(hears.readexactly(5)) == b"heard"
        while (await on.shown())[f"dropped_{way}_bytes"] < 5:
            await asyncio.sleep(0)
        assert (await on.shown())["connections"] == 1
        await on.restore()
        await broken(deaf)
        reader, writer = await on.dial()
        writer.write(b"whole")
        assert await soon(on.far.readers[1].readexactly(5)) == b"whole"
        writer.close()

    on_stage(test)()


@on_stage
async def test_a_drop_that_swallowed_nothing_leaves_its_connections(on: Stage) -> None:
    _, writer = await on.dial()
    await on.disturb(drop="to")
    await on.restore()
    writer.write(b"on")
    assert await soon(on.far.readers[0].readexactly(2)) == b"on"
    writer.close()


@on_stage
async def test_a_delay_holds_both_directions_in_order_until_it_is_undone(on: Stage) -> None:
    reader, writer = await on.dial()
    clock = asyncio.get_running_loop().time
    await on.disturb(delay_ms=200)
    began = clock()
    for word in (b"one", b"two", b"end"):
        writer.write(word)
        await writer.drain()
    writer.write_eof()
    assert await soon(on.far.readers[0].read()) == b"onetwoend"
    assert clock() - began >= 0.2 - TIMER_S
    began = clock()
    on.far.writers[0].write(b"back")
    assert await soon(reader.readexactly(4)) == b"back"
    assert clock() - began >= 0.2 - TIMER_S
    await on.disturb(delay_ms=60_000)
    on.far.writers[0].write(b"held")
    while (await on.shown())["carried_from_bytes"] < 8:
        await asyncio.sleep(0)
    await on.restore()  # what was held goes at once
    assert await soon(reader.readexactly(4)) == b"held"


@on_stage
async def test_bytes_trickle_in_pieces_each_way_until_it_is_undone(on: Stage) -> None:
    reader, writer = await on.dial()
    clock = asyncio.get_running_loop().time
    await on.disturb(bytes_per_s=10_000)
    far, began = on.far.readers[0], clock()
    writer.write(bytes(2_000))
    writer.write_eof()
    assert await soon(far.read()) == bytes(2_000)
    assert clock() - began >= 0.2 - TIMER_S
    began = clock()
    on.far.writers[0].write(b"b" * 1_000)
    assert await soon(reader.readexactly(1_000)) == b"b" * 1_000
    assert clock() - began >= 0.1 - TIMER_S
    await on.disturb(bytes_per_s=100)
    on.far.writers[0].write(b"h" * 60_000)
    while (await on.shown())["carried_from_bytes"] < 61_000:
        await asyncio.sleep(0)
    await on.disturb(bytes_per_s=1_000_000)  # what is held goes by the new rate
    assert await soon(reader.readexactly(30_000)) == b"h" * 30_000
    await on.restore()  # and at once without one
    assert await soon(reader.readexactly(30_000)) == b"h" * 30_000


@on_stage
async def test_what_a_delay_holds_is_bounded(on: Stage) -> None:
    _, writer = await on.dial()
    await on.disturb(delay_ms=60_000)
    writer.write(LARGE)
    draining = asyncio.create_task(writer.drain())
    while (carried := (await on.shown())["carried_to_bytes"]) < 1_000_000:
        await asyncio.sleep(0)
    assert carried < 2_000_000
    await on.restore()
    assert await soon(on.far.readers[0].readexactly(len(LARGE))) == LARGE
    await soon(draining)
    writer.close()


async def asked(on: Stage, head: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await on.open(on.door)
    writer.write(head)
    return reader, writer


@on_stage
async def test_links_behind_one_door_are_cut_one_by_one(on: Stage) -> None:
    to_b, to_witness = (
        b"CONNECT %b:2380 HTTP/1.1\r\nHost: x\r\n\r\n" % name
        for name in (b"etcd-b", b"etcd-witness")
    )
    ways = {}
    for name, head in (("b", to_b), ("witness", to_witness)):
        reader, writer = await asked(on, head)
        assert (await soon(reader.readuntil(b"\r\n\r\n"))).startswith(b"HTTP/1.1 200")
        await on.arrived()
        ways[name] = reader, writer
    await on.disturb("a-b-etcd", cut=True)
    await broken(ways["b"][0])
    await broken((await asked(on, to_b))[0])
    ways["witness"][1].write(b"vote")
    assert await soon(on.far.readers[1].readexactly(4)) == b"vote"
    await on.restore("a-b-etcd")
    reader, writer = await asked(on, to_b)
    assert (await soon(reader.readuntil(b"\r\n\r\n"))).startswith(b"HTTP/1.1 200")
    await on.arrived()
    writer.write(b"append")
    assert await soon(on.far.readers[2].readexactly(6)) == b"append"
    for each in (writer, ways["witness"][1]):
        each.close()


@on_stage
async def test_a_door_leads_nowhere_else(on: Stage) -> None:
    for head, status in (
        (b"CONNECT example.com:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 404"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 405"),
        (b"CONNECT etcd-b:2380 HTTP/1.1\r\n\r\nearly", b"HTTP/1.1 400"),
        (b"x" * 9_000, b"HTTP/1.1 405"),
    ):
        reader, writer = await asked(on, head)
        assert (await soon(reader.readuntil(b"\r\n\r\n"))).startswith(status)
        writer.close()
    reader, _ = await asked(on, b"CONNECT etcd-gone:2380 HTTP/1.1\r\n\r\n")
    await broken(reader)
    assert on.far.readers == []


@on_stage
async def test_the_control_endpoint_refuses_what_it_does_not_know(on: Stage) -> None:
    answer = await on.http.put("/links/a-c-peer", json={"cut": True})
    assert answer.status_code == 404
    assert "a-b-peer" in answer.json()["hint"]
    assert (await on.http.delete("/links/a-c-peer")).status_code == 404
    answer = await on.http.put("/links/a-b-peer", json={"cut": "yes"})
    assert answer.status_code == 400
    assert "$.cut" in answer.json()["error"]
    assert '"delay_ms"' in answer.json()["hint"]
    assert not (await on.shown())["cut"]
    on.http.headers["Authorization"] = f"Bearer not-{TOKEN}"
    assert (await on.http.put("/links/a-b-peer", json={"cut": True})).status_code == 401


@on_stage
async def test_it_stops_in_time_with_connections_open(on: Stage) -> None:
    reader, _ = await on.dial()
    assert on.process.popen is not None
    on.process.popen.send_signal(signal.SIGTERM)
    await broken(reader)
    assert await asyncio.to_thread(on.process.popen.wait, PATIENCE_S) == 0


@on_stage
async def test_small_messages_wait_for_nothing(on: Stage) -> None:
    reader, writer = await on.dial()
    raw = writer.get_extra_info("socket")
    assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for turn in range(200):
        writer.write(b"%4d" % turn)
        assert await soon(on.far.readers[0].readexactly(4)) == b"%4d" % turn
    writer.close()
    assert await soon(on.far.readers[0].read()) == b""
    del reader
