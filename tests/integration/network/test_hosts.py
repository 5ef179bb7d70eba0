"""A link between two hosts, on real sockets: what it carries, and whom it lets in."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from functools import wraps

import pytest

from tests.integration.network.hosts import LINK, OTHER, Hosts, hosts

PATIENCE_S = 10.0
LARGE = bytes(range(256)) * 4_096 * 8


def between(
    **names: str,
) -> Callable[[Callable[[Hosts], Awaitable[None]]], Callable[[], None]]:
    """Run a test with two apps of its own."""

    def decorate(test: Callable[[Hosts], Awaitable[None]]) -> Callable[[], None]:
        @wraps(test)
        def run() -> None:
            async def whole() -> None:
                async with asyncio.timeout(60), hosts(**names) as found:
                    await test(found)

            asyncio.run(whole())

        del run.__wrapped__  # pytest would take its argument for a fixture
        return run

    return decorate


@between()
async def test_what_goes_over_it_is_what_was_sent_both_ways(on: Hosts) -> None:
    reader, writer = await on.dial()
    writer.write(LARGE)
    await on.far.came.get()
    assert await on.far.readers[0].readexactly(len(LARGE)) == LARGE
    on.far.writers[0].write(LARGE[::-1])
    assert await reader.readexactly(len(LARGE)) == LARGE[::-1]


@between()
async def test_a_server_that_speaks_first_is_heard(on: Hosts) -> None:
    reader, _ = await on.dial()
    await on.far.came.get()
    on.far.writers[0].write(b"welcome")
    assert await reader.readexactly(7) == b"welcome"


@between()
async def test_an_end_is_in_order_for_either_side_and_loses_nothing(on: Hosts) -> None:
    reader, writer = await on.dial()
    await on.far.came.get()
    on.far.writers[0].write(LARGE)
    on.far.writers[0].close()
    assert await reader.read() == LARGE  # and no reset
    _, writer = await on.dial()
    await on.far.came.get()
    writer.write(LARGE)
    writer.close()
    assert await on.far.readers[1].read() == LARGE


@between()
async def test_nobody_is_let_in_without_a_certificate(on: Hosts) -> None:
    said = b""
    with contextlib.suppress(ssl.SSLError, ConnectionError):  # TLS 1.3 tells it with the answer
        said = await on.ask(on.context(None), LINK)
    assert said == b""
    assert not on.far.readers


@between()
async def test_an_older_tls_is_refused(on: Hosts) -> None:
    old = on.context("relay-a")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await on.ask(old, LINK)


@between()
async def test_a_host_gets_its_own_links_alone(on: Hosts) -> None:
    assert b"200" in await on.ask(on.context("relay-a"), LINK)
    assert b"403" in await on.ask(on.context("relay-a"), OTHER)
    assert b"403" in await on.ask(on.context("relay-b"), LINK)
    assert b"404" in await on.ask(on.context("relay-a"), "no-such-link")


@between(bears="relay-x", means="relay-b")
async def test_who_dials_does_not_speak_to_another_host_than_it_means(on: Hosts) -> None:
    reader, writer = await on.dial()
    writer.write(b"order")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), PATIENCE_S)
    assert not on.far.readers


@between()
async def test_a_link_is_cut_where_it_is_entered_and_whole_again(on: Hosts) -> None:
    reader, _ = await on.dial()
    await on.far.came.get()
    await on.disturb(cut=True)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), PATIENCE_S)
    await on.disturb(cut=False)
    reader, writer = await on.dial()
    writer.write(b"again")
    await on.far.came.get()
    assert await on.far.readers[-1].readexactly(5) == b"again"
