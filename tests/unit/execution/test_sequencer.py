from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from apps.core.messages import OrderUpdate
from apps.core.records import (
    DecisionTaken,
    EpochTaken,
    HaltSeen,
    Outcome,
    SessionSeen,
)
from apps.execution.actions import Publish
from apps.execution.events import (
    Decided,
    Dispatched,
    Event,
    Reported,
    SessionChanged,
    TookOver,
)
from apps.execution.sequencer import REPORTS_S
from tests.unit.execution.made import ON, SESSION, decision, fill, intent
from tests.unit.execution.rigged import UP, Rig, run


def test_nothing_happens_before_it_is_durable() -> None:
    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        rig.leader.go.clear()
        before = rig.sequencer.state
        rig.sequencer.put(Decided("1-0", decision(intent()), 0))
        for _ in range(20):
            await asyncio.sleep(0)
        assert (rig.done, rig.sequencer.state) == ([], before)
        assert not rig.sequencer.state.orders
        rig.leader.go.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert rig.sent() == ["s-7-AAPL-0"]
        assert "s-7-AAPL-0" in rig.sequencer.state.orders
        loop.cancel()

    asyncio.run(go())


def test_what_waits_while_an_append_travels_goes_together_in_the_next() -> None:
    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        rig.leader.go.clear()
        rig.sequencer.put(UP)
        for _ in range(20):
            await asyncio.sleep(0)
        for number in range(5):
            made = decision(intent(f"i{number}", qty=1), seq=10 + number, expires_seq=99)
            rig.sequencer.put(Decided(f"{number}-0", made, 0))
        rig.leader.go.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert [len(batch) for batch in rig.leader.batches] == [1, 5]
        # The sixth order of that second: what the same batch accepted before counts.
        last = rig.leader.batches[1][4]
        assert isinstance(last, DecisionTaken)
        assert rig.sent() == [f"i{n}" for n in range(5)]
        loop.cancel()

    asyncio.run(go())


TOOK = TookOver(epoch=2, owner="us", capital_usd=Decimal(1_000_000))


def test_a_takeover_judges_what_waited_in_the_append_that_begins_its_epoch() -> None:
    made = [Decided(f"{n}-0", decision(intent(f"i{n}"), seq=10 + n), 0) for n in range(2)]
    found = run(TOOK, UP, *made, needs=frozenset({SESSION}))
    kinds = [[type(record) for record in batch] for batch in found.leader.batches]
    assert kinds == [[EpochTaken, SessionSeen, DecisionTaken, DecisionTaken]]
    assert found.sent() == ["i0", "i1"]


def test_a_takeover_without_a_session_judges_nothing() -> None:
    waited = Decided("1-0", decision(intent()), 0)
    found = run(TOOK, waited, SessionChanged("OPS-A-DROP", up=True), needs=frozenset({SESSION}))
    kinds = [[type(record) for record in batch] for batch in found.leader.batches]
    assert kinds == [[EpochTaken, SessionSeen]]
    assert found.sent() == []


def test_a_kill_switch_that_changed_as_an_epoch_began_holds_back_what_waited() -> None:
    async def go() -> None:
        rig = Rig()
        rig.needed = {SESSION}
        rig.leader.go.clear()
        loop = asyncio.create_task(rig.sequencer.run())
        for event in (TOOK, UP, Decided("1-0", decision(intent()), 0)):
            rig.sequencer.put(event)
        for _ in range(20):
            await asyncio.sleep(0)
        rig.leader.kill = ON
        rig.leader.go.set()
        for _ in range(20):
            await asyncio.sleep(0)
        (batch,) = rig.leader.batches
        assert [type(r) for r in batch] == [HaltSeen, EpochTaken, SessionSeen, DecisionTaken]
        assert isinstance(batch[3], DecisionTaken)
        assert (batch[3].outcome, rig.sent()) == (Outcome.REFUSED, [])
        loop.cancel()

    asyncio.run(go())


def test_a_kill_switch_that_changed_meanwhile_has_everything_decided_anew() -> None:
    async def go() -> None:
        rig = Rig()
        rig.leader.go.clear()
        loop = asyncio.create_task(rig.sequencer.run())
        rig.sequencer.put(Decided("1-0", decision(intent()), 0))
        for _ in range(20):
            await asyncio.sleep(0)
        rig.leader.kill = ON
        rig.leader.go.set()
        for _ in range(20):
            await asyncio.sleep(0)
        ((halt, taken),) = rig.leader.batches
        assert isinstance(halt, HaltSeen)
        assert isinstance(taken, DecisionTaken)
        assert (taken.outcome, rig.sent()) == (Outcome.REFUSED, [])
        assert "halted by alice" in taken.reason
        loop.cancel()

    asyncio.run(go())


def test_decisions_wait_while_the_session_is_settling() -> None:
    def close(rig: Rig) -> None:
        assert rig.sent() == ["s-7-AAPL-0"]
        rig.open = False
        made = decision(intent("late"), seq=8, expires_seq=99)
        rig.sequencer.put(Decided("2-0", made, 0))

    rig = run(UP, Decided("1-0", decision(intent()), 0), then=close)
    assert (rig.sent(), rig.sequencer.waiting) == (["s-7-AAPL-0"], 1)


def test_decisions_are_not_judged_in_the_batch_that_changes_the_session() -> None:
    rig = run(Decided("1-0", decision(intent()), 0), UP)
    assert [[type(r) for r in batch] for batch in rig.leader.batches] == [
        [SessionSeen],
        [DecisionTaken],
    ]


@pytest.mark.parametrize("besides", [(), (SessionChanged("OPS-A-DROP", up=True),)])
def test_an_order_is_said_to_be_sent_before_the_answers_to_it(besides: tuple[Event, ...]) -> None:
    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        for event in (UP, Decided("1-0", decision(intent()), 0)):
            rig.sequencer.put(event)
            for _ in range(20):
                await asyncio.sleep(0)
        # The answer is there while the order is still being sent.
        rig.sequencer.put(Reported(fill("E1", 100, 100)))
        rig.sequencer.put_lazily(Dispatched(SESSION, 5, {"s-7-AAPL-0": 6}, {}))
        for one in besides:
            rig.sequencer.put(one)
        await asyncio.sleep(3 * REPORTS_S)
        updates = [
            action.message
            for done in rig.done
            for action in done.stepped.actions
            if isinstance(action, Publish) and isinstance(action.message, OrderUpdate)
        ]
        assert [(u.stamps.journaled, u.stamps.sent) for u in updates] == [(5, 6)]
        loop.cancel()

    asyncio.run(go())


def test_numbers_of_reports_that_change_nothing_travel_with_what_does() -> None:
    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        copy = Reported(fill("E1", 100, 100, session="OPS-A-DROP", seq=8))
        first = Reported(fill("E1", 100, 100))
        for event in (UP, Decided("1-0", decision(intent()), 0), first, copy):
            rig.sequencer.put(event)
            await asyncio.sleep(3 * REPORTS_S)
        assert len(rig.leader.batches) == 3
        assert rig.sequencer.state.inbound == {SESSION: 2}
        rig.sequencer.put(SessionChanged("OPS-A-DROP", up=True))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(rig.leader.batches) == 4
        assert rig.sequencer.state.inbound == {SESSION: 2, "OPS-A-DROP": 8}
        loop.cancel()

    asyncio.run(go())


def test_nothing_is_lost_where_the_loop_is_ended_during_an_append() -> None:
    """A leader whose heartbeat is told of its end first has its appends cancelled."""

    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        rig.leader.go.clear()
        report = Reported(fill("E1", 10, 10))
        decided = Decided("1-0", decision(intent()), 0)
        for event in (report, decided, UP):
            rig.sequencer.put(event)
        for _ in range(20):
            await asyncio.sleep(0)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        assert not rig.leader.batches
        assert sorted(map(str, rig.sequencer.left())) == sorted(map(str, [report, UP, decided]))

    asyncio.run(go())


def test_a_pause_ends_what_is_under_way_and_begins_nothing() -> None:
    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        rig.leader.go.clear()
        rig.sequencer.put(Decided("1-0", decision(intent("i1"), seq=11), 0))
        for _ in range(20):
            await asyncio.sleep(0)
        rig.sequencer.put(Decided("2-0", decision(intent("i2"), seq=12), 0))
        pausing = asyncio.create_task(rig.sequencer.pause())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not pausing.done()
        rig.leader.go.set()
        await pausing
        assert rig.sent() == ["i1"]
        for _ in range(20):
            await asyncio.sleep(0)
        assert rig.sent() == ["i1"]
        assert [type(event) for event in rig.sequencer.left()] == [Decided]
        loop.cancel()

    asyncio.run(go())


def test_after_a_pause_it_goes_on_with_what_came_meanwhile() -> None:
    async def go() -> None:
        rig = Rig()
        loop = asyncio.create_task(rig.sequencer.run())
        await rig.sequencer.pause()
        rig.sequencer.put(Decided("1-0", decision(intent("i1"), seq=11), 0))
        for _ in range(20):
            await asyncio.sleep(0)
        assert rig.sent() == []
        rig.sequencer.go_on()
        for _ in range(20):
            await asyncio.sleep(0)
        assert rig.sent() == ["i1"]
        loop.cancel()

    asyncio.run(go())
