"""The execution app: takes the next epoch, replays, settles what is in doubt, and trades."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import uuid
from collections.abc import Awaitable

import structlog

from apps.core.app import App, NotReady
from apps.core.bus import Bus
from apps.core.clock import utc_ns
from apps.core.fix import Purpose, comp_id
from apps.core.journal import Journal, KillView
from apps.core.leader import KillChanged, Leader
from apps.core.messages import OrderState
from apps.core.records import EpochTaken
from apps.core.settings import ExecutionSettings
from apps.execution import metrics
from apps.execution.apply import apply
from apps.execution.events import Context, KillSeen, Profile, Silent
from apps.execution.feeds import Feeds
from apps.execution.gateway import Gateway, StoreLock
from apps.execution.performer import Performer
from apps.execution.replay import pack, replay
from apps.execution.risk import Limits
from apps.execution.sequencer import Committed, Sequencer
from apps.execution.teller import Teller

log = structlog.get_logger()

ROOM = 256
"""Decisions that may wait here; more stay on the bus."""
TICK_S = 0.1
SETTLING_S = 2.0
"""How long decisions wait after a logon for the answers to what is in doubt."""
STALE_S = 1.0
"""Readiness fails when the journal or the bus was silent for so long."""
STUCK_S = 5.0
"""Readiness fails when an order is in doubt for so long."""
COMPACT_S = 600.0
"""How often the store may forget superseded heartbeats."""
COLD_BEAT_S = 0.25


class Execution(App[ExecutionSettings]):
    """Order management, journal and FIX gateway of one site."""

    settings_type = ExecutionSettings

    def __init__(self, settings: ExecutionSettings) -> None:
        """Keep the settings; open nothing yet."""
        super().__init__(settings)
        self._phase = "starting"
        self._limits = Limits(
            max_order_notional_usd=settings.max_order_notional_usd,
            max_order_shares=settings.max_order_shares,
            max_position_notional_usd=settings.max_position_notional_usd,
            max_gross_notional_usd=settings.max_gross_notional_usd,
            price_collar_bps=settings.price_collar_bps,
            max_orders_per_s=settings.max_orders_per_s,
        )
        self._profile = Profile(
            duplicate_check=settings.duplicate_check, status_request=settings.status_request
        )
        self._session = comp_id(settings.site, Purpose.ORDERS)
        self._up = False
        self._settling_until = 0.0
        self._beat_now = asyncio.Event()
        self._doubts: dict[str, float] = {}
        self._batches = 0
        self._retiring: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Trade until asked to stop."""
        settings = self.settings
        lock = StoreLock(settings.fix_store)
        journal, bus = Journal.of(settings), Bus.of(settings)
        try:
            await self._until_stopping(self._trade(journal, bus))
        finally:
            await journal.close()
            await bus.close()
            lock.release()

    async def _until_stopping(self, work: Awaitable[None]) -> None:
        """Do work until it fails or the app is asked to stop."""
        task = asyncio.ensure_future(work)
        stop = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            stop.cancel()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _trade(self, journal: Journal, bus: Bus) -> None:
        settings = self.settings
        self._phase = "waiting for the journal"
        owner = f"{settings.site}/{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        self.leader = leader = await Leader.take(journal, owner=owner, site=settings.site)
        metrics.EPOCH.set(leader.mine.epoch)
        log.info("epoch taken", epoch=leader.mine.epoch, tail=leader.tail)
        self._phase = "replaying the journal"
        replayed = await replay(journal, leader.tail)
        self.teller = Teller(bus)
        self.feeds = Feeds(bus, lambda event: self.sequencer.put(event), utc_ns)
        self.sequencer = Sequencer(
            replayed.state,
            leader,
            context=self._context,
            may_decide=self._may_decide,
            perform=self._perform,
        )
        self.gateway = Gateway(settings, leader, self.sequencer.put, utc_ns)
        self.performer = Performer(
            leader, self.gateway, self.sequencer, self.teller, lambda: self.feeds.market.seq
        )
        leader.on_kill = self._on_kill
        await self._take_over(journal)
        self._phase = ""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_again(replayed.messages))
            group.create_task(self.teller.run())
            group.create_task(self._beat())
            group.create_task(self._watch_kill(journal))
            group.create_task(self._tick())
            group.create_task(self._compact())
            group.create_task(self.sequencer.run())
            group.create_task(
                self.feeds.run(self.sequencer.state.source, lambda: self.sequencer.waiting < ROOM)
            )
            group.create_task(self._connect())

    async def _take_over(self, journal: Journal) -> None:
        """Journal the new epoch: whatever is unanswered is in doubt from here."""
        state, leader = self.sequencer.state, self.leader
        leader.saw(await journal.kill_switch())
        record = EpochTaken(
            epoch=leader.mine.epoch,
            owner=leader.mine.owner,
            site=self.settings.site,
            capital_usd=self.settings.capital_usd,
            at_ns=utc_ns(),
        )
        # The kill switch guards orders; an epoch is taken whatever it says.
        appended = False
        while not appended:
            with contextlib.suppress(KillChanged):
                await leader.append([record], leader.kill)
                appended = True
        apply(state, record)
        self.sequencer.put(KillSeen())

    async def _connect(self) -> None:
        """Log on, and log out when this is cancelled."""
        self.gateway.open(self.sequencer.state.inbound)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self.gateway.close)

    async def _tell_again(self, messages: tuple[object, ...]) -> None:
        """Tell the bus what it may have missed when the former process ended."""
        last = await self.teller.last_index()
        missed = [m for m in messages if m.index >= last]  # type: ignore[attr-defined]
        self.teller.tell(missed, self.sequencer.state.message())  # type: ignore[arg-type]

    def _context(self) -> Context:
        return Context(
            now_ns=utc_ns(),
            site=self.settings.site,
            market=self.feeds.market,
            kill=self.leader.kill,
            limits=self._limits,
            profile=self._profile,
        )

    def _may_decide(self) -> bool:
        """Whether decisions may be judged now, or wait for the session and its doubts."""
        if self.leader.kill.halted:
            return True
        if self._session not in self.sequencer.state.up:
            return False
        if time.monotonic() >= self._settling_until:
            return True
        return not any(o.doubt and not o.held for o in self.sequencer.state.open_orders())

    async def _perform(self, committed: Committed) -> None:
        await self.performer.perform(committed)
        state = self.sequencer.state
        if committed.stepped.records:
            self._batches += 1
        if self._session in state.up and not self._up:
            self._settling_until = time.monotonic() + SETTLING_S
        self._up = self._session in state.up
        self._note_doubts()
        metrics.HALTED.set(self.leader.kill.halted)
        metrics.OPEN_ORDERS.set(len(state.open))
        metrics.IN_DOUBT.set(len(self._doubts))
        metrics.JOURNAL_INDEX.set(state.index)
        if self._batches >= self.settings.journal_keep_batches and self._retiring is None:
            self._batches = 0
            self._retiring = asyncio.create_task(self._retire())

    def _note_doubts(self) -> None:
        now = time.monotonic()
        doubts = {order.id for order in self.sequencer.state.in_doubt()}
        self._doubts = {order: self._doubts.get(order, now) for order in doubts}

    async def _retire(self) -> None:
        """Snapshot the open state and let older batches go; beside trading."""
        state = self.sequencer.state
        try:
            packed = await asyncio.to_thread(pack, state)
            await self.leader.retire(state.index, packed)
        finally:
            self._retiring = None

    def _on_kill(self, view: KillView) -> None:
        metrics.HALTED.set(view.halted)
        log.warning("kill switch", halted=view.halted, by=view.halt.by if view.halt else "")
        self.sequencer.put(KillSeen())
        self._beat_now.set()

    async def _watch_kill(self, journal: Journal) -> None:
        async for view in journal.watch_kill():
            self.leader.saw(view)

    async def _beat(self) -> None:
        """Write heartbeats: proof of leadership, and news of the kill switch."""
        members = len(self.settings.journal_endpoints)
        every_s = COLD_BEAT_S if members == 1 else self.settings.detection_ms / 4_000
        while True:
            if not await self.leader.beat(self.sequencer.commits):
                metrics.JOURNAL_FAILURES.inc()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._beat_now.wait(), every_s)
            self._beat_now.clear()

    async def _compact(self) -> None:
        """Let the store forget superseded heartbeats; no record is touched by it."""
        while True:
            await asyncio.sleep(COMPACT_S)
            await self.leader.forget()

    async def _tick(self) -> None:
        """Ask again for answers that are overdue, and look at what waits."""
        while True:
            await asyncio.sleep(TICK_S)
            if self.gateway.logged_on:
                overdue = self.performer.overdue(self.sequencer.state)
                if overdue:
                    self.sequencer.put(Silent(overdue))
            self.sequencer.wake()

    async def ready(self) -> None:
        """Say what keeps orders from flowing, if anything does."""
        if self._phase:
            raise NotReady(self._phase)
        now = time.monotonic()
        leader, state = self.leader, self.sequencer.state
        if now - leader.confirmed > STALE_S:
            raise NotReady(f"the journal does not confirm: {leader.trouble or 'no answer'}")
        if not self.gateway.logged_on:
            raise NotReady(f"FIX session {self._session} is not logged on")
        if now - self.feeds.heard > STALE_S:
            raise NotReady("the bus does not answer")
        stuck = [order for order, since in self._doubts.items() if now - since > STUCK_S]
        if stuck:
            order = state.orders.get(stuck[0])
            why = order.reason if order and order.state is OrderState.IN_DOUBT else "unanswered"
            raise NotReady(f"{len(stuck)} orders in doubt, the first {stuck[0]}: {why}")
