"""What waits to be appended together, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from apps.core.records import DecisionTaken, ReportSeen
from apps.execution import sequencer
from apps.execution.events import Decided, Reported, SessionChanged
from apps.execution.sequencer import REPORTS_S
from tests.unit.execution.made import SESSION, decision, fill, intent
from tests.unit.execution.rigged import UP, Rig


def test_reports_wait_for_one_another_and_orders_for_none_of_them() -> None:
    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        for event in (UP, Decided("1-0", decision(intent()), 0)):
            rig.sequencer.put(event)
            for _ in range(20):
                await asyncio.sleep(0)
        assert len(rig.leader.batches) == 2, "neither waited"
        rig.sequencer.put(Reported(fill("E1", 40, 40)))
        for _ in range(20):
            await asyncio.sleep(0)
        rig.sequencer.put(Reported(fill("E2", 60, 100, seq=3)))
        assert len(rig.leader.batches) == 2
        await asyncio.sleep(3 * REPORTS_S)
        assert len(rig.leader.batches) == 3, "both in one"
        loop.cancel()

    asyncio.run(go())


def test_a_report_of_what_is_in_doubt_waits_for_no_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequencer, "REPORTS_S", 60.0)

    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        for event in (UP, Decided("1-0", decision(intent()), 0), SessionChanged(SESSION, up=False)):
            rig.sequencer.put(event)
            for _ in range(20):
                await asyncio.sleep(0)
        assert rig.sequencer.state.in_doubt()
        rig.sequencer.put(Reported(fill("E1", 100, 100)))
        async with asyncio.timeout(10):
            while rig.sequencer.state.in_doubt():
                await asyncio.sleep(sequencer.DOUBTED_S)
        loop.cancel()

    asyncio.run(go())


def test_decisions_gather_after_an_append_for_as_long_as_it_took_but_a_full_batch_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequencer, "REST_S", 60.0)

    async def go(more: int) -> int:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        rig.leader.go.clear()
        rig.sequencer.put(Decided("1-0", decision(intent(qty=1)), 0))
        await asyncio.sleep(1.0)  # so long does the append take, and the rest after it
        rig.leader.go.set()
        for number in range(more):
            one = decision(intent(f"i{number}", qty=1), seq=11 + number, expires_seq=99)
            rig.sequencer.put(Decided(f"{number}-0", one, 0))
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        at_once = len(rig.leader.batches)
        async with asyncio.timeout(10):
            while len(rig.leader.batches) < 2:
                await asyncio.sleep(0.01)
        assert len(rig.leader.batches[1]) == more
        loop.cancel()
        return at_once

    assert asyncio.run(go(3)) == 1
    assert asyncio.run(go(sequencer.MAX_EVENTS)) == 2


def test_reports_that_come_during_an_append_of_decisions_wait_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequencer, "REPORTS_S", 60.0)

    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        for event in (UP, Decided("1-0", decision(intent(qty=100)), 0)):
            rig.sequencer.put(event)
            await asyncio.sleep(3 * sequencer.REST_S)
        rig.leader.go.clear()
        rig.sequencer.put(Decided("2-0", decision(intent("two", qty=1), seq=8, expires_seq=9), 0))
        await asyncio.sleep(0)
        rig.sequencer.put(Reported(fill("E1", 100, 100)))
        rig.leader.go.set()
        async with asyncio.timeout(10):
            while len(rig.leader.batches) < 3:
                await asyncio.sleep(sequencer.REST_S)
        await asyncio.sleep(3 * sequencer.REST_S)
        assert len(rig.leader.batches) == 3, "the report goes with what comes next"
        rig.sequencer.put(Decided("3-0", decision(intent("three", qty=1), seq=9, expires_seq=9), 0))
        async with asyncio.timeout(10):
            while len(rig.leader.batches) < 4:
                await asyncio.sleep(sequencer.REST_S)
        assert [type(r) for r in rig.leader.batches[3]] == [ReportSeen, DecisionTaken]
        loop.cancel()

    asyncio.run(go())
