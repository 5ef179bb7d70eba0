"""The role of the leader: judge, journal, send, report; until it is deposed or hands over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

import structlog

from apps.core import clock, retention
from apps.core.etcd import Unreachable
from apps.core.journal import KillView
from apps.core.leader import Deposed, Leader
from apps.core.messages import Decision, OrderState
from apps.core.records import ReportSeen
from apps.core.sites import Presence, overview
from apps.execution import metrics
from apps.execution.events import Context, Event, KillSeen, Renewed, Silent, TookOver
from apps.execution.exclusive import Exclusive
from apps.execution.performer import Performer
from apps.execution.place import Place
from apps.execution.replay import pack
from apps.execution.sequencer import Committed, Gate, Sequencer
from apps.execution.state import State

log = structlog.get_logger()

TICK_S = 0.1
SETTLING_S = 2.0
"""How long decisions wait after a logon for the answers to what is in doubt."""
STALE_S = 1.0
"""A journal that confirms nothing for so long is a fault."""
REFUSED_S = 0.5
"""And one that refuses writes or misses its deadline: said well within a second."""
ROOM_AGAIN_S = 5.0
"""How soon a journal that stays full is given room once more."""
STUCK_S = 5.0
"""An order in doubt for so long is a fault."""
COMPACT_S = 600.0
"""How often the store may forget superseded heartbeats."""
DRAW_S, DRAW_RARELY_S = 0.5, 60.0
"""How often is looked whether another site's member leads the journal, and how rarely at last
where it did each time: a member that loses the lead again and again is not helped by it."""
COLD_BEAT_S = 0.25
"""Alone, nobody is in a hurry."""
BEAT_ANYWAY_S = 0.5
"""A heartbeat is written so often though appends prove as much: who asks whether this leader
lives, and what its clock says, looks for that."""
BEATS_PER_DETECTION = 4
"""Heartbeats within the detection time, appends counted, while a closed link would tell sooner."""
UNLINKED_BEATS = 20
"""And while another site cannot hear us by its link: it waits for two of these only."""
ASK_S = 0.5
"""How long a question about the other sites may take."""


class Leading:
    """Holds one epoch."""

    def __init__(self, place: Place, leader: Leader, state: State) -> None:
        """Begin with the state after the last record before the epoch."""
        self.leader = leader
        self._place = place
        self._up = False
        self._settling_until = 0.0
        self._beat_now = asyncio.Event()
        self._doubts: dict[str, float] = {}
        self._batches = 0
        self._retiring: asyncio.Task[None] | None = None
        self._making_room: asyncio.Task[None] | None = None
        self._writable = True
        self._heard: dict[str, tuple[int, float]] = {}
        self.others_archived: int | None = None
        """The last record that every other site has archived."""
        self.sequencer = Sequencer(
            state,
            leader,
            context=self._context,
            gate=self._gate,
            perform=self._perform,
            clock=place.utc_ns,
        )
        self._performer = Performer(
            leader,
            place.gateway,
            self.sequencer,
            place.teller,
            lambda: place.feeds.market.seq,
            place.utc_ns,
        )
        leader.on_kill = self._on_kill

    @property
    def state(self) -> State:
        """The state after the last record."""
        return self.sequencer.state

    @property
    def epoch(self) -> int:
        """The epoch that is led."""
        return self.leader.mine.epoch

    @property
    def reports(self) -> Sequence[ReportSeen]:
        """Reports that are not journaled yet."""
        return self.sequencer.reports

    def take(self, event: Event) -> None:
        """Decide on what happened."""
        self.sequencer.put(event)

    def begin(self, kept: Sequence[Event]) -> None:
        """Take events from now on: the epoch first, then what was kept."""
        place, mine = self._place, self.leader.mine
        metrics.EPOCH.set(mine.epoch)
        metrics.LEADING.set(1)
        log.info("epoch taken", epoch=mine.epoch, tail=self.leader.tail, kept=len(kept))
        taken = TookOver(mine.epoch, mine.owner, place.settings.capital_usd)
        for event in (taken, KillSeen(), *kept):
            self.sequencer.put(event)
        place.take = self.take
        place.gateway.leading = self.leader

    async def lead(self) -> None:
        """Lead until a task ends by `Deposed`."""
        place = self._place
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.sequencer.run())
                group.create_task(self._beat())
                group.create_task(self._watch_kill())
                group.create_task(self._tick())
                group.create_task(self._compact())
                if not place.alone:
                    group.create_task(self._draw())
                if place.gateway.exclusive is not None:
                    group.create_task(self._hold(place.gateway.exclusive))
        finally:
            place.gateway.leading = None
            metrics.LEADING.set(0)
            for beside in (self._retiring, self._making_room):
                if beside is not None:
                    beside.cancel()

    async def _hold(self, session: Exclusive) -> None:
        """Hold the order session that all sites share."""
        place = self._place

        async def others() -> int:
            with contextlib.suppress(Unreachable):
                seen = await overview(place.journal, tuple(place.settings.peers), patience_s=ASK_S)
                return max((p.outbound for p in seen.presences.values()), default=0)
            return 0

        await session.hold(
            lambda: self.leader.beat(self.sequencer.commits),
            lambda: self.state.inbound.get(session.session, 0),
            others,
        )

    def heard_of(self, others: Mapping[str, Presence]) -> None:
        """Take note of how the other sites describe themselves."""
        self.others_archived = min(
            (others[s].archived if s in others else 0 for s in self._place.settings.peers),
            default=None,
        )
        for site, there in others.items():
            if self._heard.get(site, (0, 0.0))[0] != there.at_ns:
                self._heard[site] = there.at_ns, clock.monotonic()
            if there.renewed >= self.epoch:
                self.sequencer.put(Renewed(self._place.profile.session(site)))

    def silent_s(self, there: Presence) -> float:
        """Return for how long a site has not described itself anew, at most.

        By our own clock: what the site's says may be off, or was set.
        """
        at_ns, heard = self._heard.get(there.site, (0, 0.0))
        return clock.monotonic() - heard if at_ns == there.at_ns else 0.0

    # Deciding

    def _context(self) -> Context:
        return self._place.context(self.leader.kill)

    def _gate(self, state: State) -> Gate:
        """Return which decisions may be judged now, on a state.

        After a logon those on symbols in doubt wait for the answers; all the others go on.
        """
        if self.leader.kill.halted:
            return lambda _: True
        if self._place.session not in state.up:
            return lambda _: False
        if self._up and clock.monotonic() >= self._settling_until:
            return lambda _: True
        doubted = {o.symbol for o in state.open_orders() if o.doubt and not o.held}

        def may(decision: Decision) -> bool:
            return not any(intent.symbol in doubted for intent in decision.intents)

        return may

    async def _perform(self, committed: Committed) -> None:
        await self._performer.perform(committed)
        state = self.state
        if committed.stepped.records:
            self._batches += 1
        up = self._place.session in state.up
        if up and not self._up:
            self._settling_until = clock.monotonic() + SETTLING_S
        self._up = up
        self._note_doubts()
        metrics.HALTED.set(self.leader.kill.halted)
        metrics.OPEN_ORDERS.set(len(state.open))
        metrics.IN_DOUBT.set(len(self._doubts))
        metrics.JOURNAL_INDEX.set(state.index)
        if self._batches >= self._place.settings.journal_keep_batches and self._retiring is None:
            self._batches = 0
            self._retiring = asyncio.create_task(self._retire())

    def _note_doubts(self) -> None:
        now = clock.monotonic()
        doubts = {order.id for order in self.state.in_doubt()}
        self._doubts = {order: self._doubts.get(order, now) for order in doubts}

    async def _retire(self) -> None:
        """Snapshot the open state and let older batches go; beside trading."""
        state = self.state
        try:
            packed = await asyncio.to_thread(pack, state)
            with contextlib.suppress(Deposed):  # the append under way finds out by itself
                await retention.retire(self.leader, state.index, packed, self.others_archived)
        finally:
            self._retiring = None

    async def _make_room(self) -> None:
        """Give a full journal room; beside whatever waits for it."""
        with contextlib.suppress(Deposed):  # the append under way finds out by itself
            made = await retention.make_room(self.leader, self.others_archived)
            metrics.JOURNAL_ROOM.labels("made" if made else "none").inc()
        await asyncio.sleep(ROOM_AGAIN_S)
        self._making_room = None

    def link(self, up: bool) -> None:
        """Say at once that we are there where another site does not hear us by its link."""
        if not up:
            self._beat_now.set()

    # The journal's other keys

    def _on_kill(self, view: KillView) -> None:
        metrics.HALTED.set(view.halted)
        log.warning("kill switch", halted=view.halted, by=view.halt.by if view.halt else "")
        self.sequencer.put(KillSeen())
        self._beat_now.set()

    async def _watch_kill(self) -> None:
        async for view in self._place.journal.watch_kill():
            self.leader.saw(view)

    async def _beat(self) -> None:
        """Write heartbeats: proof of leadership, and news of the kill switch.

        An append proves as much, so that a beat is due where there was none of late.
        """
        beaten = clock.monotonic()
        while True:
            every_s = beat_s(self._place)
            asked = self._beat_now.is_set()
            self._beat_now.clear()
            since_s = clock.monotonic() - self.leader.confirmed
            if asked or since_s >= every_s or clock.monotonic() - beaten >= BEAT_ANYWAY_S:
                if not await self.leader.beat(self.sequencer.commits):
                    metrics.JOURNAL_FAILURES.inc()
                since_s, beaten = 0.0, clock.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s - since_s):
                    await self._beat_now.wait()

    async def _compact(self) -> None:
        """Let the store forget superseded heartbeats; no record is touched by it."""
        while True:
            await asyncio.sleep(COMPACT_S)
            await retention.forget(self._place.journal)

    async def _draw(self) -> None:
        """Have the journal led from here: its members' lead follows that of the sites."""
        every_s = DRAW_S
        while True:
            await asyncio.sleep(every_s)
            drew = await self.leader.draw()
            every_s = min(every_s * 2, DRAW_RARELY_S) if drew else DRAW_S

    async def _tick(self) -> None:
        """Ask again for answers that are overdue, and look at what waits."""
        while True:
            await asyncio.sleep(TICK_S)
            if self._place.gateway.logged_on:
                overdue = self._performer.overdue(self.state)
                if overdue:
                    self.sequencer.put(Silent(overdue))
            self.sequencer.wake()
            self._look_at_journal()

    def _look_at_journal(self) -> None:
        """Say as soon as it is so that nothing can be journaled, and again that it can."""
        reason = self.unwritable(clock.monotonic())
        writable = not reason
        metrics.JOURNAL_WRITABLE.set(writable)
        if writable is not self._writable:
            self._writable = writable
            if writable:
                log.warning("the journal takes writes again: new orders go on")
            else:
                log.error("new orders stop: nothing can be journaled", reason=reason)
        if self.leader.full and self._making_room is None:
            self._making_room = asyncio.create_task(self._make_room())

    def unwritable(self, now: float) -> str:
        """Return why nothing can be journaled; empty where writes are confirmed."""
        silent_s, trouble = now - self.leader.confirmed, self.leader.trouble
        if silent_s > (REFUSED_S if trouble else STALE_S):
            return f"the journal does not confirm: {trouble or 'no answer'}"
        return ""

    def fault(self) -> str:
        """Return what keeps orders from flowing; empty where nothing does."""
        now = clock.monotonic()
        return self.unwritable(now) or self._place.fault() or self._off() or self._stuck(now)

    def _off(self) -> str:
        """Return that the session which all sites share is not logged on; empty where it is."""
        gateway = self._place.gateway
        off = gateway.exclusive is not None and not gateway.logged_on
        return f"FIX session {gateway.session} is not logged on yet" if off else ""

    def _stuck(self, now: float) -> str:
        stuck = [order for order, since in self._doubts.items() if now - since > STUCK_S]
        if not stuck:
            return ""
        order = self.state.orders.get(stuck[0])
        why = order.reason if order and order.state is OrderState.IN_DOUBT else "unanswered"
        return f"{len(stuck)} orders in doubt, the first {stuck[0]}: {why}"


def beat_s(place: Place) -> float:
    """Return how often a leader writes at least, as its links are now."""
    if place.alone:
        return COLD_BEAT_S
    linked = all(place.links.get(site, False) for site in place.settings.peers)
    if not linked:
        return unlinked_beat_s(place.settings.detection_ms)
    return place.settings.detection_ms / 1_000 / BEATS_PER_DETECTION


def unlinked_beat_s(detection_ms: int) -> float:
    """Return how often a leader writes at least, while its link to a site is down."""
    return detection_ms / 1_000 / UNLINKED_BEATS
