"""The execution app on real servers, killed and cut, judged by the venue's own record."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from apps.core.bus import PORTFOLIO, BusDown, BusSlow
from apps.core.messages import OrderState, Portfolio, Side, TimeInForce
from apps.core.records import DecisionTaken, DoubtSettled, EpochTaken, HaltSeen, Outcome, ReportSeen
from tests.integration.execution.platform import (
    PRICES,
    Heard,
    Platform,
    app,
    connect,
    decision,
    eventually,
    hearing,
    level,
    market,
    platform,
    reconciled,
    records,
    submit,
)
from tests.support import servers

BUY, SELL = Side.BUY, Side.SELL


async def clean(running: Platform) -> None:
    """Fail unless the venue's record, the journal and the books are one."""
    for name, findings in (await reconciled(running)).items():
        assert findings.clean, (name, findings)


def venue_rows(running: Platform, kind: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in running.record.read_bytes().splitlines()]
    return [row for row in rows if row["kind"] == kind and not row.get("maker")]


class Load:
    """Decisions of two orders each, about a hundred in a second, until told to stop."""

    def __init__(self, running: Platform) -> None:
        self.bus = running.bus()
        self.count = 0
        self._stop = False
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while not self._stop:
            legs = (("AAPL", BUY, 100 + self.count % 7), ("GE", SELL, 50))
            try:
                await submit(self.bus, [decision(self.count, *legs)])
            except (BusDown, BusSlow):
                continue  # the same decision again: a second arrival is no operation
            self.count += 1
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._stop = True
        await self._task
        await self.bus.close()


async def strike(running: Platform, victims: Sequence[str], rounds: int, seed: int) -> None:
    """Kill servers and apps with SIGKILL under load; afterwards nothing may be amiss."""
    chance = random.Random(seed)
    async with hearing(running) as (bus, heard):
        await market(bus)
        running.until_ready("execution", "projector")
        load = Load(running)
        for _ in range(rounds):
            done = len(heard.done)
            await asyncio.sleep(0.4 + chance.random() * 0.4)
            for name in victims:
                running.server(name).kill()
            await asyncio.sleep(chance.random() * 0.3)
            for name in victims:
                running.server(name).start()
            await eventually(
                "decisions are done again",
                lambda done=done: len(heard.done) > done + 10,  # type: ignore[misc]
            )
        await load.stop()
        await eventually("every decision is done", lambda: len(heard.done) >= load.count)
        running.until_ready("execution")
        await level(running)
    assert Counter(done.verdict for done in heard.done.values()).keys() <= {"done", "refused"}
    assert venue_rows(running, "execution")
    await clean(running)


@pytest.mark.parametrize(
    ("victims", "rounds"),
    [
        (["execution"], 3),
        (["etcd"], 2),
        (["valkey"], 2),
        (["venue"], 2),
        (["postgres", "projector"], 2),
        (["execution", "projector", "etcd", "valkey", "postgres", "venue"], 2),
    ],
    ids=["execution", "etcd", "valkey", "venue", "books", "everything"],
)
def test_kill_9_under_load_loses_and_doubles_nothing(victims: list[str], rounds: int) -> None:
    with platform(books=True) as running:
        for name in ("venue", "execution", "projector"):
            running.start(name)
        asyncio.run(strike(running, victims, rounds, seed=rounds))


def test_decisions_become_orders_fills_and_a_portfolio() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            made = [decision(n, ("AAPL", BUY, 100), ("GE", SELL, 10)) for n in range(20)]
            await submit(bus, made)
            await eventually("all done", lambda: len(heard.done) == 20)
            portfolio = await bus.get(PORTFOLIO)
            assert isinstance(portfolio, Portfolio)
            assert portfolio.positions == {"AAPL": 2_000, "GE": -200}
            assert (portfolio.last_decision, portfolio.open_qty) == ({"test": 19}, {})
            executed = venue_rows(running, "execution")
            assert len(heard.fills) == len(executed)
            for update in heard.orders().values():
                at = update.stamps
                assert update.state is OrderState.FILLED
                assert at.data_in <= at.received < at.journaled <= at.sent
            journal = await records(running)
            taken = next(r for r in journal if isinstance(r, DecisionTaken))
            assert [v.accepted for v in taken.verdicts] == [True, True]
            assert running.metric("trading_fills_total") == len(executed)
            assert running.metric("trading_tick_to_order_seconds_count") == 40

            # A second arrival does nothing, another content is not acted on, risk refuses.
            other = decision(3, ("AAPL", BUY, 101))
            dear = decision(30, ("AAPL", BUY, 1_000_001))
            await submit(bus, [made[0], other, dear])
            await eventually("the last is done", lambda: "test-30" in heard.done)
            assert len(venue_rows(running, "execution")) == len(executed)
            assert running.metric("trading_divergences_total") == 1
            assert heard.done["test-30"].verdict == "refused"
            refused = heard.orders()["test-30-AAPL-0"]
            assert refused.state is OrderState.REJECTED
            assert "order size" in refused.reason
        await clean(running)

    with platform() as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_the_books_are_written_to_a_server_that_takes_tls_only() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            await submit(bus, [decision(n, ("AAPL", BUY, 100)) for n in range(3)])
            await eventually("all done", lambda: len(heard.done) == 3)
        await level(running)
        await clean(running)
        with connect(running) as books:
            assert books.execute("SELECT count(*) FROM fills").fetchone() != (0,)

    with platform(books=True, books_server=servers.managed_postgres) as running:
        for name in ("venue", "execution", "projector"):
            running.start(name)
        asyncio.run(go(running))


async def resting(running: Platform, heard: Heard, bus: Any, number: int) -> str:
    """Leave a day order resting at the venue; return its id."""
    one = decision(number, ("AAPL", BUY, 10), tif=TimeInForce.DAY)
    far = (PRICES["AAPL"] * 98 / 100).quantize(PRICES["AAPL"])
    low = msgspec.structs.replace(one.intents[0], limit=far)
    await submit(bus, [msgspec.structs.replace(one, intents=(low,))])
    await eventually(
        "the order rests",
        lambda: low.id in heard.orders() and heard.orders()[low.id].state is OrderState.NEW,
    )
    return low.id


def test_after_a_confirmed_halt_no_order_leaves_and_open_ones_are_cancelled() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard), running.journal() as operator:
            await market(bus)
            running.until_ready("execution")
            order = await resting(running, heard, bus, 0)
            took_ms = []
            for turn in range(1, 4):
                halted = await _halt_under_load(running, operator, bus, turn * 10_000)
                took_ms.append(halted)
                await eventually(
                    "open orders are cancelled",
                    lambda: heard.orders()[order].state is OrderState.CANCELED,
                )
                resumed = await operator.resume()
                assert resumed.acknowledged
                more = decision(turn * 10_000 + 9_000, ("AAPL", BUY, 5))
                await submit(bus, [more])
                await eventually("trading goes on", lambda more=more: more.id in heard.done)  # type: ignore[misc]
                assert heard.done[more.id].verdict == "done"
            assert min(took_ms) < 100, took_ms
            seen = [r for r in await records(running) if isinstance(r, HaltSeen)]
            assert [r.halted for r in seen] == [True, False] * 3
            assert (seen[0].by, seen[0].reason) == ("alice", "a test")
            assert Counter(d.verdict for d in heard.done.values())["refused"] > 0
        await eventually("all settled", lambda: running.metric("trading_orders_open") == 0)
        await clean(running)

    with platform() as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


async def _halt_under_load(running: Platform, operator: Any, bus: Any, first: int) -> float:
    stop = False

    async def load() -> None:
        number = first
        while not stop:
            await submit(bus, [decision(number, ("GE", BUY, 1), ("AAPL", BUY, 1))])
            number += 1
            await asyncio.sleep(0.002)

    loading = asyncio.create_task(load())
    await asyncio.sleep(0.3)
    halted = await operator.halt(by="alice", reason="a test")
    confirmed_ns = time.time_ns()
    await asyncio.sleep(0.5)
    stop = True
    await loading
    assert halted.acknowledged
    # What was on the wire when the halt was confirmed may be accepted a moment later.
    late = [r for r in venue_rows(running, "accept") if r["at_ns"] > confirmed_ns + 50_000_000]
    assert not late
    assert running.metric("trading_halted") == 1
    return float(halted.effective_ms)


def test_a_halt_that_is_on_keeps_a_restarted_process_from_sending() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard), running.journal() as operator:
            await market(bus)
            running.until_ready("execution")
            running.server("execution").kill()
            halted = await operator.halt(by="alice", reason="")
            assert not halted.acknowledged
            await submit(bus, [decision(1, ("AAPL", BUY, 5))])
            running.start("execution")
            await eventually("refused", lambda: "test-1" in heard.done)
            assert heard.done["test-1"].verdict == "refused"
            assert venue_rows(running, "accept") == []

    with platform() as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_readiness_says_within_a_second_what_keeps_orders_from_flowing() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            running.etcd.process.kill()
            await eventually("journal", lambda: "journal" in running.ready("execution"), 2.0)
            await submit(bus, [decision(1, ("AAPL", BUY, 5))])
            await asyncio.sleep(0.3)
            assert venue_rows(running, "accept") == [], "new orders stop meanwhile"
            running.etcd.process.start()
            await eventually("done", lambda: "test-1" in heard.done)
            running.until_ready("execution")
            running.server("venue").kill()
            await eventually("FIX", lambda: "FIX session" in running.ready("execution"), 2.0)
            running.start("venue")
            running.until_ready("execution")
            running.valkey.process.kill()
            await eventually("bus", lambda: "bus" in running.ready("execution"), 2.5)
            running.valkey.process.start()
            running.until_ready("execution")
        await clean(running)

    with platform() as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_a_restart_from_a_snapshot_goes_on_where_it_was() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            for first in (0, 60, 120):
                made = [decision(n, ("AAPL", BUY, 10)) for n in range(first, first + 60)]
                for one in made:
                    await submit(bus, [one])
                    await asyncio.sleep(0.005)
                await eventually("done", lambda n=first: len(heard.done) == n + 60)  # type: ignore[misc]
                running.server("execution").kill()
                running.start("execution")
                running.until_ready("execution")
            async with running.journal() as journal:
                snapshot = await journal.snapshot()
                assert snapshot is not None
                kept = await journal.store.scan(journal.batch_key(0), journal.batch_key(10**12))
                assert int(kept[0].key.rpartition("/")[2]) > 1, "older batches left the journal"
            portfolio = await bus.get(PORTFOLIO)
            assert isinstance(portfolio, Portfolio)
            assert portfolio.positions == {"AAPL": 1_800}
            # The books start from nothing, by the archive.
            running.start("projector")
            await level(running)
        await clean(running)

    with platform(books=True, journal_keep_batches=40) as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_an_order_that_the_venue_never_got_is_entered_again_once() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            await submit(bus, [decision(n, ("AAPL", BUY, 10)) for n in range(5)])
            await eventually("all done", lambda: len(heard.done) == 5)
        steps = [r.step for r in await records(running) if isinstance(r, DoubtSettled)]
        assert steps == ["reenter"] * 5
        entered = Counter(row["cl_ord_id"] for row in venue_rows(running, "accept"))
        assert set(entered.values()) == {1}
        await clean(running)

    with platform(trouble="deaf") as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_what_only_the_drop_copy_tells_is_booked() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            await submit(bus, [decision(n, ("AAPL", BUY, 10)) for n in range(5)])
            await eventually("all done", lambda: len(heard.done) == 5)
        reports = [r for r in await records(running) if isinstance(r, ReportSeen)]
        assert {r.session for r in reports} == {"OPS-A-DROP"}
        await clean(running)

    with platform(trouble="drop-copy-only") as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_a_decision_that_market_data_has_passed_is_void() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus, seq=5)
            running.until_ready("execution")
            await submit(bus, [decision(4, ("AAPL", BUY, 10), expires_seq=4)])
            await eventually("done", lambda: "test-4" in heard.done)
            assert heard.done["test-4"].verdict == "expired"
        taken = [r for r in await records(running) if isinstance(r, DecisionTaken)]
        assert [r.outcome for r in taken] == [Outcome.EXPIRED]

    with platform() as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))


def test_a_second_process_on_the_same_store_gives_way() -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, _):
            await market(bus)
            running.until_ready("execution")
            second = running.settings.model_copy(update={"http_port": running.ports["projector"]})
            other = app(running.home, "second", "apps.execution", second)
            other.start()
            assert other.popen is not None
            assert await asyncio.to_thread(other.popen.wait, 20) == 1
            assert "in use by another execution process" in other.log()
            assert running.ready("execution") == ""
        epochs = [r for r in await records(running) if isinstance(r, EpochTaken)]
        assert len(epochs) == 1, "it took no epoch"

    with platform() as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))
