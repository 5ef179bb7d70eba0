"""The one loop that steps the state machines: decide, append, and only then act.

Events wait in the inbox while an append is under way and travel together in the next
(group commit). What is decided on a fork of the state becomes the state when its records
are durable; where the kill switch changed meanwhile, the same events are decided anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from apps.core import clock
from apps.core.clock import Clock, utc_ns
from apps.core.journal import KillView
from apps.core.leader import KillChanged
from apps.core.messages import Decision
from apps.core.records import DecisionTaken, JournalRecord, ReportSeen, SessionSeen
from apps.execution import metrics
from apps.execution.apply import apply
from apps.execution.decide import Stepped, step
from apps.execution.events import (
    Context,
    Decided,
    Event,
    KillSeen,
    Reported,
    SessionChanged,
    TookOver,
)
from apps.execution.state import State

MAX_EVENTS = 64
"""Events in one batch: a transaction must stay well below the store's limit of 1.5 MB."""
REPORTS_S, DOUBTED_S = 0.01, 0.005
"""How long a report waits for others, or for a decision to travel with: a venue's
acknowledgement and the first execution come together, and no order waits for either. Less
while an order is in doubt, since others may wait for what the report says of it."""
REST_S = 0.002
"""How long at most the next decisions gather after an append that carried some. An append
costs every member and every reader of the journal the same, however many orders it carries."""


Gate = Callable[[Decision], bool]
"""Whether a decision may be judged now, on the state that it would be judged on."""


class Appends(Protocol):
    """What the loop asks of the journal's leader."""

    async def append(self, records: list[JournalRecord], kill: KillView) -> int:
        """Append records; return the index of the last."""
        ...


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that is durable: what to do now, and when that became true."""

    stepped: Stepped
    journaled_ns: int


class Sequencer:
    """Takes events, moves the state."""

    def __init__(
        self,
        state: State,
        leader: Appends,
        *,
        context: Callable[[], Context],
        gate: Callable[[State], Gate],
        perform: Callable[[Committed], Awaitable[None]],
        clock: Clock = utc_ns,
    ) -> None:
        """Start from a replayed state; `gate` is asked which decisions may be judged on one."""
        self.state = state
        self.commits = 0
        self._leader = leader
        self._context = context
        self._gate = gate
        self._perform = perform
        self._utc_ns = clock
        self._inbox: deque[Event] = deque()
        self._decisions: deque[Decided] = deque()
        self._lazy: list[Event] = []
        self._progress: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._at_work: list[Event] = []
        self._paused = False
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._soon: asyncio.TimerHandle | None = None
        self._rest_until = 0.0
        self._hurry = asyncio.Event()

    def put(self, event: Event) -> None:
        """Take an event, to be decided with the next batch."""
        self._queue(event)
        if self.waiting >= MAX_EVENTS or not isinstance(event, Decided | Reported):
            self._hurry.set()
        if not isinstance(event, Reported):
            self._wake.set()
        elif self._soon is None:
            wait_s = DOUBTED_S if self.state.in_doubt() else REPORTS_S
            self._soon = asyncio.get_running_loop().call_later(wait_s, self._reports_waited)

    def _reports_waited(self) -> None:
        self._soon = None
        self.wake()

    def put_lazily(self, event: Event) -> None:
        """Take an event that waits for others to travel with, or for the next `wake`.

        It goes before them: the venue's answer to an order may be here before it is said that
        the order was sent.
        """
        self._lazy.append(event)

    def _queue(self, event: Event) -> None:
        if isinstance(event, Decided):
            self._decisions.append(event)
        else:
            self._inbox.append(event)

    def wake(self) -> None:
        """Look again: what holds decisions back may be over, or lazy events have waited."""
        self._inbox.extendleft(reversed(self._lazy))
        self._lazy.clear()
        if self._inbox or self._decisions:
            self._wake.set()

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._inbox) + len(self._decisions) + len(self._lazy)

    async def run(self) -> None:
        """Step for ever; ends with `Deposed` when another process leads."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not (events := self._next()):
                continue
            self._at_work = events
            self._at_rest.clear()
            try:
                await self._commit(events)
            except BaseException:
                # Deposed by this append, or cancelled because another task was told first.
                self._return(events)
                raise
            finally:
                self._at_work = []
                self._at_rest.set()
            if self._decisions:  # the state has changed, by which they may be judged
                self._wake.set()
            await self._rest()

    async def _rest(self) -> None:
        """Let decisions and reports gather after an append of decisions, until a batch is full.

        For as long as that took: where the next decision comes later, none waits.
        """
        rest_s = self._rest_until - clock.monotonic()
        if rest_s > 0 and self.waiting < MAX_EVENTS:
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._hurry.wait()

    async def pause(self) -> None:
        """Take no further event; return once those under way are journaled and acted on."""
        self._paused = True
        await self._at_rest.wait()

    def go_on(self) -> None:
        """Take events again."""
        self._paused = False
        self.wake()

    def _next(self) -> list[Event]:
        events: list[Event] = []
        if self._paused:
            return events
        while self._inbox and len(events) < MAX_EVENTS:
            events.append(self._inbox.popleft())
        if self._inbox:
            self._wake.set()
        elif self._soon is not None:
            self._soon.cancel()  # the reports that it was set for go now
            self._soon = None
        # Decisions are judged last: by then the state knows of every report before them. Whether
        # they may be when a session has changed, the next look tells.
        changed = any(isinstance(event, SessionChanged) for event in events)
        if self._decisions and not changed and len(events) < MAX_EVENTS:
            events += self._judgeable(self.state, MAX_EVENTS - len(events))
        if events and self._lazy:
            events = [*self._lazy, *events]
            self._lazy.clear()
        return events

    def _judgeable(self, state: State, most: int) -> list[Decided]:
        """Take decisions that may be judged now; none overtakes another of its strategy."""
        may = self._gate(state)
        found: list[Decided] = []
        kept: list[Decided] = []
        waiting: set[str] = set()
        while self._decisions and len(found) < most:
            one = self._decisions.popleft()
            if one.decision.strategy in waiting or not may(one.decision):
                waiting.add(one.decision.strategy)
                kept.append(one)
            else:
                found.append(one)
        self._decisions.extendleft(reversed(kept))
        return found

    def left(self) -> list[Event]:
        """Return what was not decided, for whoever leads next; nothing is left then."""
        events: list[Event] = [*self._lazy, *self._inbox, *self._decisions]
        self._lazy.clear()
        self._inbox.clear()
        self._decisions.clear()
        return events

    @property
    def reports(self) -> list[ReportSeen]:
        """Reports that are not journaled yet, in the order of their arrival."""
        waiting = (*self._at_work, *self._lazy, *self._inbox)
        return [event.report for event in waiting if isinstance(event, Reported)]

    def _return(self, events: list[Event]) -> None:
        """Put events back that did not become ours to act on, as far as is known here.

        Where they were journaled after all, whoever follows drops them again by that.
        """
        decisions = [event for event in events if isinstance(event, Decided)]
        others = [event for event in events if not isinstance(event, Decided)]
        self._decisions.extendleft(reversed(decisions))
        self._inbox.extendleft(reversed(others))

    async def _commit(self, events: list[Event]) -> None:
        while True:
            fork, context = self.state.fork(), self._context()
            stepped = step(fork, events, context)
            if taken := self._waited(events, fork):
                events += taken
                stepped = _joined(stepped, step(fork, taken, context))
            self._progress |= stepped.progress
            if not stepped.records:
                break
            self._tell_progress(fork, stepped, context.now_ns)
            started = clock.monotonic()
            try:
                last = await self._leader.append(stepped.records, context.kill)
            except KillChanged:
                events.insert(0, KillSeen())  # in place: they are put back if this is cancelled
                continue
            ended = clock.monotonic()
            metrics.JOURNAL_APPEND.observe(ended - started)
            if any(isinstance(event, Decided) for event in events):
                self._rest_until = ended + min(ended - started, REST_S)
            metrics.JOURNAL_RECORDS.inc(len(stepped.records))
            if last != fork.index:
                raise RuntimeError(f"the journal is at {last}, the state at {fork.index}")
            self.state = fork
            self._progress.clear()
            break
        self.commits += 1
        _count(stepped)
        await self._perform(Committed(stepped=stepped, journaled_ns=self._utc_ns()))

    def _waited(self, events: list[Event], fork: State) -> list[Decided]:
        """Take what waited for this epoch: it travels in the append that begins it.

        Nothing is sent for as long as a takeover lasts, and two appends last twice as long.
        """
        room = MAX_EVENTS - len(events)
        if room <= 0 or not self._decisions or not isinstance(events[0], TookOver):
            return []
        return self._judgeable(fork, room)

    def _tell_progress(self, fork: State, stepped: Stepped, now_ns: int) -> None:
        """Let the numbers of reports that changed nothing travel with what did."""
        for session, seq in self._progress.items():
            if seq > fork.inbound.get(session, 0):
                record = SessionSeen(session=session, event="progress", seq=seq, at_ns=now_ns)
                apply(fork, record)
                stepped.records.append(record)


def _joined(first: Stepped, then: Stepped) -> Stepped:
    return Stepped(
        records=first.records + then.records,
        actions=first.actions + then.actions,
        progress=first.progress | then.progress,
    )


def _count(stepped: Stepped) -> None:
    for record in stepped.records:
        if isinstance(record, DecisionTaken):
            metrics.DECISIONS.labels(record.outcome).inc()
            for verdict in record.verdicts:
                metrics.INTENTS.labels("accepted" if verdict.accepted else "refused").inc()
