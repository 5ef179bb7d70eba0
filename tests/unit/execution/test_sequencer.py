from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from apps.core.journal import KillView
from apps.core.leader import KillChanged
from apps.core.messages import OrderUpdate
from apps.core.records import (
    DecisionTaken,
    EpochTaken,
    HaltSeen,
    JournalRecord,
    Outcome,
    ReportSeen,
    SessionSeen,
)
from apps.execution import sequencer
from apps.execution.actions import Publish, Send
from apps.execution.events import (
    Context,
    Decided,
    Dispatched,
    Event,
    Reported,
    SessionChanged,
    TookOver,
)
from apps.execution.sequencer import REPORTS_S, Committed, Gate, Sequencer
from apps.execution.state import State
from tests.unit.execution.made import OFF, ON, SESSION, context, decision, fill, intent, led

UP = SessionChanged(SESSION, up=True)


class FakeLeader:
    """A journal in memory: appends take until `release`, and the kill switch may change."""

    def __init__(self) -> None:
        self.batches: list[list[JournalRecord]] = []
        self.kill = OFF
        self.go = asyncio.Event()
        self.go.set()

    async def append(self, records: list[JournalRecord], kill: KillView) -> int:
        await self.go.wait()
        if kill.mod != self.kill.mod:
            raise KillChanged(self.kill)
        self.batches.append(records)
        return 1 + sum(len(batch) for batch in self.batches)  # led() is at 1


class Rig:
    """A sequencer with everything around it in memory."""

    def __init__(self) -> None:
        self.leader = FakeLeader()
        self.done: list[Committed] = []
        self.open = True
        self.needed: set[str] = set()
        self.sequencer = Sequencer(
            led(),
            self.leader,
            context=self.context,
            gate=self.gate,
            perform=self.perform,
        )

    def context(self) -> Context:
        return context(kill=self.leader.kill)

    def gate(self, state: State) -> Gate:
        return lambda _: self.open and self.needed <= state.up.keys()

    async def perform(self, committed: Committed) -> None:
        self.done.append(committed)

    def sent(self) -> list[str]:
        actions = [action for c in self.done for action in c.stepped.actions]
        return [action.order for action in actions if isinstance(action, Send)]


def run(
    *events: Event, then: Callable[[Rig], None] | None = None, needs: frozenset[str] = frozenset()
) -> Rig:
    """Put events, let the loop work, do something, let it work again."""

    async def go() -> Rig:
        rig = Rig()
        rig.needed |= needs
        loop = asyncio.create_task(rig.sequencer.run())
        for event in events:
            rig.sequencer.put(event)
        for step in (then, None):
            for _ in range(20):
                await asyncio.sleep(0)
            if step:
                step(rig)
        loop.cancel()
        return rig

    return asyncio.run(go())


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
