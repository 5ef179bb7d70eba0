"""The journal on a real etcd with mutual TLS."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from apps.core import etcd as client
from apps.core import retention
from apps.core.journal import Gap, Journal, Unreachable
from apps.core.leader import Deposed, KillChanged, Leader
from apps.core.records import JournalRecord, SessionSeen
from tests.support import servers
from tests.support.process import freeze

Body = Callable[[Journal], Awaitable[None]]


@pytest.fixture(scope="module")
def server() -> Iterator[servers.EtcdServer]:
    with servers.etcd() as running:
        yield running


def journal_of(
    server: servers.EtcdServer, environment: str, archived: Path | None = None
) -> Journal:
    tls = server.certificates
    return Journal(
        environment=environment,
        endpoints=[server.endpoint],
        ca=tls.ca,
        cert=tls.client_cert,
        key=tls.client_key,
        archived=archived,
    )


@contextlib.asynccontextmanager
async def leading(journal: Journal, owner: str = "one") -> AsyncIterator[Leader]:
    async with journal:
        yield await Leader.take(journal, owner=owner, site="a")


def record(number: int) -> SessionSeen:
    return SessionSeen(session="S", event="progress", seq=number, at_ns=number)


async def everything(journal: Journal) -> list[JournalRecord]:
    tail, found = await journal.tail(), list[JournalRecord]()
    while len(found) < tail:
        for batch in await journal.read(len(found), tail):
            assert batch.first == len(found) + 1
            found += batch.records
    return found


def test_batches_are_read_back_in_order_by_record_index(server: servers.EtcdServer) -> None:
    async def go() -> None:
        async with leading(journal_of(server, "order")) as leader:
            assert await leader.append([record(1), record(2)], leader.kill) == 2
            assert await leader.append([record(3)], leader.kill) == 3
            journal = leader.journal
            assert await everything(journal) == [record(1), record(2), record(3)]
            assert [b.first for b in await journal.read(2, 3)] == [3]

    asyncio.run(go())


def test_a_follower_hears_of_appends_at_once(server: servers.EtcdServer) -> None:
    async def go() -> None:
        async with (
            leading(journal_of(server, "follow")) as leader,
            journal_of(server, "follow") as reader,
        ):
            following = reader.follow(0)
            await leader.append([record(1)], leader.kill)
            assert (await anext(following))[0].records == (record(1),)
            waiting = asyncio.create_task(anext(following))
            await asyncio.sleep(0.3)
            started = time.monotonic()
            await leader.append([record(2)], leader.kill)
            assert (await waiting)[0].records == (record(2),)
            assert time.monotonic() - started < 0.5, "by its watch, not by polling"
            await following.aclose()

    asyncio.run(go())


def test_the_next_epoch_deposes_the_former_leader(server: servers.EtcdServer) -> None:
    async def go() -> None:
        async with (
            leading(journal_of(server, "epoch"), "one") as one,
            leading(journal_of(server, "epoch"), "two") as two,
        ):
            assert (one.mine.epoch, two.mine.epoch) == (1, 2)
            with pytest.raises(Deposed, match="epoch 2 is led by two"):
                await one.append([record(1)], one.kill)
            with pytest.raises(Deposed):
                await one.beat(0)
            await two.append([record(2)], two.kill)
            assert await everything(two.journal) == [record(2)]
            again = await Leader.take(two.journal, owner="two", site="a")
            assert again.mine == two.mine, "a repeated election recognises its own success"

    asyncio.run(go())


def test_an_append_under_another_kill_switch_is_refused(server: servers.EtcdServer) -> None:
    async def go() -> None:
        async with (
            leading(journal_of(server, "kill")) as leader,
            journal_of(server, "kill") as operator,
        ):
            heard: list[bool] = []
            leader.on_kill = lambda view: heard.append(view.halted)
            before = leader.kill
            halted = await operator.halt(by="alice", reason="runaway", timeout_s=0.2)
            assert (halted.halted, halted.changed, halted.acknowledged) == (True, True, False)
            with pytest.raises(KillChanged):
                await leader.append([record(1)], before)
            assert leader.kill.halt == halted.halt
            assert heard == [True]
            assert await leader.append([record(2)], leader.kill) == 1

            again = await operator.halt(by="bob", reason="too", timeout_s=0.2)
            assert (again.changed, again.halt) == (False, halted.halt)
            resumed = await operator.resume(timeout_s=0.2)
            assert (resumed.halted, resumed.changed) == (False, True)
            assert await leader.beat(1)
            assert heard == [True, False]
            assert (await operator.resume(timeout_s=0.2)).changed is False

    asyncio.run(go())


def test_a_halt_is_acknowledged_when_the_leader_says_that_it_obeys(
    server: servers.EtcdServer,
) -> None:
    async def go() -> None:
        async with (
            leading(journal_of(server, "ack")) as leader,
            journal_of(server, "ack") as operator,
        ):

            async def watch() -> None:
                async for view in leader.journal.watch_kill():
                    leader.saw(view)
                    await leader.beat(0)

            watching = asyncio.create_task(watch())
            await asyncio.sleep(0.2)
            halted = await operator.halt(by="alice", reason="")
            assert halted.acknowledged
            assert halted.effective_ms < 100
            watching.cancel()

    asyncio.run(go())


def test_an_append_whose_answer_is_lost_is_found_and_not_repeated(
    server: servers.EtcdServer,
) -> None:
    """A stopped server answers nothing; what it was sent, it does when it wakes."""

    async def go() -> None:
        async with leading(journal_of(server, "unknown")) as leader:
            await leader.append([record(0)], leader.kill)
            for number in range(1, 4):
                freeze(server.process.pid)
                try:
                    appending = asyncio.create_task(leader.append([record(number)], leader.kill))
                    await asyncio.sleep(0.3)
                    assert not appending.done()
                    assert leader.trouble
                    assert not leader.proven(0.2)
                finally:
                    server.process.popen.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
                assert await asyncio.wait_for(appending, 10) == number + 1
                assert not leader.trouble
            assert await everything(leader.journal) == [record(n) for n in range(4)]

    asyncio.run(go())


def test_a_kill_switch_that_changes_while_the_outcome_is_unknown(
    server: servers.EtcdServer,
) -> None:
    """The former try may still arrive: it must be in, or never come in."""

    async def go() -> None:
        async with (
            leading(journal_of(server, "unknown-kill")) as leader,
            journal_of(server, "unknown-kill") as operator,
        ):
            written = 0
            for number in range(3):
                before = leader.kill
                freeze(server.process.pid)
                switch = operator.resume() if before.halted else operator.halt(by="a", reason="")
                tasks = [
                    asyncio.create_task(switch),
                    asyncio.create_task(leader.append([record(number)], before)),
                ]
                await asyncio.sleep(0.2)
                server.process.popen.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
                _, appended = await asyncio.gather(*tasks, return_exceptions=True)
                assert isinstance(appended, int | KillChanged), appended
                written += isinstance(appended, int)
                await leader.beat(0)
                assert leader.kill.mod != before.mod
                await leader.append([record(100 + number)], leader.kill)
                assert len(await everything(leader.journal)) == written + number + 1

    asyncio.run(go())


def test_kill_9_of_the_server_under_load_loses_and_doubles_nothing() -> None:
    async def go(server: servers.EtcdServer) -> None:
        async with leading(journal_of(server, "load")) as leader:
            confirmed = 0

            async def load() -> None:
                nonlocal confirmed
                while True:
                    await leader.append([record(confirmed)], leader.kill)
                    confirmed += 1

            loading = asyncio.create_task(load())
            for _ in range(3):
                await asyncio.sleep(0.3)
                server.process.kill()
                await asyncio.sleep(0.2)
                at = confirmed
                server.process.start()
                until = time.monotonic() + 10
                while confirmed == at:
                    assert time.monotonic() < until
                    await asyncio.sleep(0.01)
            loading.cancel()
            found = await everything(leader.journal)
            assert found[:confirmed] == [record(n) for n in range(confirmed)]
            assert len(found) <= confirmed + 1

    with servers.etcd() as server:
        asyncio.run(go(server))


def test_old_batches_move_to_the_archive_and_the_store_shrinks(tmp_path: Path) -> None:
    async def go(server: servers.EtcdServer) -> None:
        folder = tmp_path / "archive"
        async with leading(journal_of(server, "retire", folder)) as leader:
            journal = leader.journal
            # Enough of them that the database file is worth defragmenting.
            filler = "x" * 200_000
            big = SessionSeen(session=filler, event="progress", seq=0, at_ns=0)
            for _ in range(200):
                await leader.append([big], leader.kill)
            for number in range(10):
                await leader.append([record(number)], leader.kill)
            before, _ = await journal.store.sizes()
            assert await retention.retire(leader, 205, b"state after 205")
            after, _ = await journal.store.sizes()
            assert after < before / 2, (before, after)

            snapshot = await journal.snapshot()
            assert snapshot is not None
            assert (snapshot.index, snapshot.state) == (205, b"state after 205")
            kept = await journal.store.scan(journal.batch_key(0), journal.batch_key(10**9))
            assert len(kept) == 5
            assert await everything(journal) == [big] * 200 + [record(n) for n in range(10)]

            await leader.append([record(10)], leader.kill)
            assert await retention.retire(leader, 211, b"later")
            snapshot = await journal.snapshot()
            assert snapshot is not None
            assert snapshot.index == 211
            assert len(await everything(journal)) == 211

        async with journal_of(server, "retire") as blind:
            with pytest.raises(Gap, match="no folder is set"):
                await blind.read(0, 211)

    with servers.etcd() as server:
        asyncio.run(go(server))


def test_without_an_archive_nothing_is_let_go(server: servers.EtcdServer) -> None:
    async def go() -> None:
        async with leading(journal_of(server, "keep")) as leader:
            await leader.append([record(1)], leader.kill)
            assert not await retention.retire(leader, 1, b"state")
            assert await everything(leader.journal) == [record(1)]

    asyncio.run(go())


def test_a_client_without_a_certificate_of_the_environment_is_turned_away(
    server: servers.EtcdServer, tmp_path: Path
) -> None:
    async def go() -> None:
        other = servers.certificates(tmp_path)
        stranger = Journal(
            environment="x",
            endpoints=[server.endpoint],
            ca=server.certificates.ca,
            cert=other.client_cert,
            key=other.client_key,
        )
        async with stranger:
            with pytest.raises(Unreachable):
                await stranger.tail(patience_s=0.5)

    asyncio.run(go())


def test_no_call_waits_longer_than_its_deadline(server: servers.EtcdServer) -> None:
    async def go() -> None:
        async with leading(journal_of(server, "deadline")) as leader:
            await leader.append([record(1)], leader.kill)
            freeze(server.process.pid)
            try:
                started = time.monotonic()
                with pytest.raises(client.OutcomeUnknown):
                    await leader.journal.store.attempt([], [client.put("/x", b"")], [])
                assert time.monotonic() - started < 0.15
                assert await leader.beat(0) is False
            finally:
                server.process.popen.send_signal(signal.SIGCONT)  # type: ignore[union-attr]

    asyncio.run(go())


def test_a_full_store_refuses_writes_until_room_is_made(tmp_path: Path) -> None:
    async def go(server: servers.EtcdServer) -> None:
        folder = tmp_path / "archive"
        async with leading(journal_of(server, "full", folder)) as leader:
            journal = leader.journal
            big = SessionSeen(session="x" * 100_000, event="progress", seq=0, at_ns=0)
            for _ in range(12):
                await leader.append([big], leader.kill)
            assert await retention.retire(leader, 6, b"state after 6")
            waiting = asyncio.create_task(_fill(leader, big))
            while not leader.full:
                await asyncio.sleep(0.01)
            assert await leader.beat(0) is False
            assert "space" in leader.trouble
            assert not await retention.retire(leader, 12, b"state after 12")
            assert not waiting.done()

            assert await retention.make_room(leader)
            written = await asyncio.wait_for(waiting, 10)
            assert await leader.beat(0)
            assert not leader.full
            assert not leader.trouble
            assert await everything(journal) == [big] * (12 + written)
            assert await retention.retire(leader, 12 + written, b"all of them")

    async def _fill(leader: Leader, big: SessionSeen) -> int:
        """Append until an append has waited for room; return how many there were."""
        for count in range(1, 200):
            full = asyncio.create_task(_until_full(leader))
            await leader.append([big], leader.kill)
            full.cancel()
            if full.done() and not full.cancelled():
                return count
        raise AssertionError("the store was never full")

    async def _until_full(leader: Leader) -> None:
        while not leader.full:
            await asyncio.sleep(0.001)

    with servers.etcd(1, "--quota-backend-bytes=4000000") as server:
        asyncio.run(go(server))
