"""The lead of the journal's members follows that of the sites, on three real members."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from structlog.testing import capture_logs

from apps.core.journal import Journal
from apps.core.leader import Leader
from tests.integration.execution.test_journal import everything, record
from tests.support import servers
from tests.support.process import freeze

DEADLINE_MS = 2_000
"""Of a call: tests share two cores with others."""
STATUS_S = 0.9
"""A member that is asked for its state may take longer."""
Body = Callable[[Leader, list[str]], Awaitable[None]]


@pytest.fixture
def members() -> Iterator[servers.EtcdServer]:
    with servers.etcd(3, "--heartbeat-interval", "100", "--election-timeout", "2000") as running:
        yield running


def journal_of(members: servers.EtcdServer, endpoints: list[str]) -> Journal:
    tls = members.certificates
    return Journal(
        environment="led",
        endpoints=endpoints,
        ca=tls.ca,
        cert=tls.client_cert,
        key=tls.client_key,
        deadline_ms=DEADLINE_MS,
    )


async def led_by(journal: Journal) -> int:
    """Return which member leads, as soon as one does."""
    until = time.monotonic() + 30
    while (found := await journal.store.led_by()) is None:
        assert time.monotonic() < until, "no member leads"
        await asyncio.sleep(0.05)
    return found


async def move_away(leader: Leader, elsewhere: Journal) -> None:
    """Move the lead to another member, as an election might."""
    async with leader._appending, leader._beating:
        assert await elsewhere.store.lead_nearest(await led_by(elsewhere))


def far_from_the_lead(members: servers.EtcdServer, body: Body) -> None:
    """Take leadership at a site whose member follows; `body` is told the members, nearest first."""

    async def go() -> None:
        endpoints = [*members.endpoints]
        async with journal_of(members, endpoints) as journal:
            at = await led_by(journal)
        endpoints = endpoints[at + 1 :] + endpoints[: at + 1]  # the nearest does not lead
        async with journal_of(members, endpoints) as journal:
            leader = await Leader.take(journal, owner="one", site="a")
            await body(leader, endpoints)

    asyncio.run(go())


def test_it_comes_to_the_member_of_this_site_and_no_append_fails(
    members: servers.EtcdServer,
) -> None:
    async def body(leader: Leader, endpoints: list[str]) -> None:
        journal, elsewhere = leader.journal, journal_of(members, endpoints[::-1])
        stop = asyncio.Event()

        async def append() -> None:
            for number in itertools.count(1):
                if stop.is_set():
                    return
                await leader.append([record(number)], leader.kill)

        appending = asyncio.create_task(append())
        for _ in range(10):
            here = await led_by(journal)
            assert await leader.draw() is (here != 0)
            assert await led_by(journal) == 0
            assert not await leader.draw()
            before = leader.tail
            while leader.tail < before + 2:  # also between two moves
                await asyncio.sleep(0.001)
            await move_away(leader, elsewhere)
        stop.set()
        await appending
        await elsewhere.store.close()
        assert len(await everything(journal)) == leader.tail >= 10

    with capture_logs() as logs:
        far_from_the_lead(members, body)
    assert not [line for line in logs if line["event"] == "journal does not answer"]


@pytest.mark.parametrize("strike", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "frozen"])
def test_a_member_that_is_silent_is_given_no_lead_and_holds_no_append_back(
    members: servers.EtcdServer, strike: signal.Signals
) -> None:
    async def body(leader: Leader, endpoints: list[str]) -> None:
        store = leader.journal.store
        nearest = members.members[members.endpoints.index(endpoints[0])]
        if strike is signal.SIGKILL:
            nearest.kill()
        else:
            freeze(nearest.pid)
        assert await store.led_by() is None
        assert not await leader.draw()
        store.deadline_s = 0.1  # of a write, and so of whatever keeps writes waiting
        async with asyncio.timeout(STATUS_S):
            assert not await store.lead_nearest(2)
        store.deadline_s = DEADLINE_MS / 1_000
        assert await leader.append([record(1)], leader.kill) == 1
        if strike is signal.SIGKILL:
            nearest.start()
        else:
            os.kill(nearest.pid, signal.SIGCONT)
        until = time.monotonic() + 30
        while await store.led_by() != 0:
            assert time.monotonic() < until, "the lead did not come"
            await leader.draw()
        assert await leader.append([record(2)], leader.kill) == 2

    far_from_the_lead(members, body)


def test_one_member_leads_itself() -> None:
    async def go() -> None:
        with servers.etcd() as alone:
            async with journal_of(alone, [*alone.endpoints]) as journal:
                leader = await Leader.take(journal, owner="one", site="a")
                assert await led_by(journal) == 0
                assert not await leader.draw()

    asyncio.run(go())
