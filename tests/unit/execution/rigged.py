"""A sequencer with everything around it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from apps.core.journal import KillView
from apps.core.leader import KillChanged
from apps.core.records import JournalRecord
from apps.execution.actions import Send
from apps.execution.events import Context, Event, SessionChanged
from apps.execution.sequencer import Committed, Gate, Sequencer
from apps.execution.state import State
from tests.unit.execution.made import OFF, SESSION, context, led

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
