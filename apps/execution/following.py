"""The role of a site that does not lead: stay level with the journal, and watch the leader.

It applies every batch to the same state, tells its own bus what it says, keeps what the
journal does not say yet (`Standby`), and runs the election. It ends when the leader key
names this process; what it hands on is all that a takeover needs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from apps.core import candidacy, clock, etcd
from apps.core.candidacy import Known, Won
from apps.core.etcd import NoSpace, OutcomeUnknown, Unreachable
from apps.core.journal import KillView
from apps.core.leader import Leader
from apps.core.records import Batch, ReportSeen
from apps.core.retention import archive_up_to
from apps.core.stream import (
    BatchSeen,
    BeatSeen,
    KillSwitched,
    LeaderSeen,
    Seen,
    SnapshotSeen,
    Standing,
    UpdateSeen,
    stream,
)
from apps.execution import election, metrics
from apps.execution.actions import Cancel, Publish
from apps.execution.apply import apply
from apps.execution.comparison import Comparison
from apps.execution.election import Election, Terms
from apps.execution.events import Event, SessionChanged
from apps.execution.place import Place
from apps.execution.standby import Standby
from apps.execution.state import State
from apps.execution.teller import Told

log = structlog.get_logger()

LOOK_S = 0.05
"""How often what is kept is held against the journal, and our own fitness looked at."""
ASK_S = 1.0
"""How long one question to the journal may take."""
SILENT_S = 1.0
"""A journal in which nobody wrote for so long is not ready."""
AGAIN_S = 0.02
"""How soon a challenge is repeated where the journal did not answer."""


class Following:
    """Follows from a state on until this process is the leader."""

    def __init__(self, place: Place, state: State, standby: Standby, terms: Terms) -> None:
        """Begin with a replayed state, and what was kept so far."""
        self.state = state
        self.standby = standby
        self.kill: KillView | None = None
        self.heard = 0.0
        """When the journal last told us anything, on the monotonic clock."""
        self.renewed = 0
        """The epoch of another site under which our order session was logged on anew."""
        self._place = place
        self._known = Known(leader=None, leader_mod=0, beat_mod=0, tail_mod=0, index=state.index)
        self._election = Election(terms=terms, heard_ns=_now(), looked_ns=_now())
        self._won: asyncio.Future[Won] = asyncio.get_running_loop().create_future()
        self._look = asyncio.Event()
        self.awaiting = False
        """Whether the leader is silent, and it is for people to say who is next."""
        self.comparison = Comparison(place.terms)
        self._in_order = False
        """Whether all that was appended before the leader key was last written is applied."""
        self._reading: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._archiving: asyncio.Task[None] | None = None

    @property
    def leader(self) -> str:
        """The site that leads, as far as is known; empty where nobody does."""
        held = self._election.leader
        return held.site if held else ""

    @property
    def epoch(self) -> int:
        """The epoch that is followed."""
        held = self._election.leader
        return held.epoch if held else 0

    @property
    def reports(self) -> Sequence[ReportSeen]:
        """Reports that the journal does not say yet, as far as this site knows."""
        return self.standby.reports

    def unwritable(self, now: float) -> str:
        """Return why nothing seems to be journaled; empty where somebody writes."""
        return "" if now - self.heard <= SILENT_S else "the journal is silent"

    def take(self, event: Event) -> None:
        """Keep what reaches this site."""
        self.standby.take(event)
        if event == SessionChanged(self._place.session, up=True):
            self.renewed = 0 if self.leader == self._place.site else self.epoch
            self._cancel_own({o.id: o.cancel for o in self.state.open_orders() if o.cancel})

    def link(self, site: str, up: bool) -> None:
        """Take note of a peer's link; only the leader's counts."""
        if site == self.leader or (self._election.leader is None and up):
            self._step(election.LinkChanged(_now(), up))
        if site == self.leader and not up:
            self._looking = asyncio.create_task(self._catch_up())

    async def until_leading(self) -> Won:
        """Follow until the leader key names us; return the leadership.

        `state` and `standby` are then as of the election's revision.
        """
        tasks = [asyncio.create_task(work) for work in (self._stream(), self._watch())]
        try:
            waited: list[asyncio.Future[Any]] = [self._won, *tasks]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            won = self._won.result()
        finally:
            for task in tasks:
                task.cancel()
            for asking in (self._asking, self._looking):
                if asking is not None:
                    asking.cancel()
            metrics.AWAITS_ORDER.set(0)
        for batch in won.batches:
            self._apply(batch)
        self.prune()
        return won

    # The journal

    async def _stream(self) -> None:
        """Read the stream for ever; one that has gone silent is opened anew."""
        while True:
            self._reading = asyncio.create_task(self._read())
            try:
                await asyncio.wait({self._reading})
            finally:
                self._reading.cancel()
            if not self._reading.cancelled():
                self._reading.result()

    async def _read(self) -> None:
        async with contextlib.aclosing(
            stream(self._place.journal, lambda: self.state.index)
        ) as changes:
            async for some in changes:
                self.heard = clock.monotonic()
                messages, before = list[Told](), self.state.index
                for seen in some:
                    messages += self._take_in(seen)
                if messages or self.state.index > before:  # an epoch brings the capital
                    self._place.teller.tell(messages, self.state.message())

    def _take_in(self, seen: Seen) -> list[Told]:
        match seen:
            case Standing(tail_mod=tail_mod, beat_mod=beat_mod):
                self._written("tail_mod", tail_mod)
                self._written("beat_mod", beat_mod)
            case LeaderSeen(leader, mod, in_order):
                if mod >= self._known.leader_mod:
                    self._know(leader=leader, leader_mod=mod)
                self._in_order = in_order
                self.comparison.led_by(leader)
                self._step(election.LeaderSeen(_now(), leader, mod))
                if self._place.links.get(self.leader):
                    self._step(election.LinkChanged(_now(), up=True))
            case BeatSeen(beat, mod):
                if self._written("beat_mod", mod) and beat.epoch == self.epoch:
                    self._step(election.Heard(_now()))
            case BatchSeen(batch, mod):
                return self._appended(batch, mod)
            case KillSwitched(view):
                self.kill = view
                metrics.HALTED.set(view.halted)
            case UpdateSeen() | SnapshotSeen():
                self._noted(seen)
        return []

    def _noted(self, seen: UpdateSeen | SnapshotSeen) -> None:
        if isinstance(seen, UpdateSeen):
            self.comparison.updated(seen.update)
        else:
            self._archive(seen.index)

    def _appended(self, batch: Batch, mod: int | None) -> list[Told]:
        if mod is not None and self._written("tail_mod", mod) and batch.epoch == self.epoch:
            self._step(election.Heard(_now()))
        return self._apply(batch)

    def _apply(self, batch: Batch) -> list[Told]:
        """Apply the records of a batch that are not applied yet."""
        messages: list[Told] = []
        cancels: dict[str, str] = {}
        for index, record in enumerate(batch.records, batch.first):
            if index <= self.state.index:
                continue
            if index != self.state.index + 1:
                raise RuntimeError(f"record {index} came after record {self.state.index}")
            actions = apply(self.state, record)
            messages += [a.message for a in actions if isinstance(a, Publish)]
            cancels |= {a.order: a.cancel for a in actions if isinstance(a, Cancel)}
        self._cancel_own(cancels)
        self._know(index=self.state.index)
        metrics.JOURNAL_INDEX.set(self.state.index)
        return messages

    def _cancel_own(self, cancels: dict[str, str]) -> None:
        """Send what the leader wants cancelled, and only our session may: cancels are safe."""
        place = self._place
        if place.profile.cross_session_cancel:
            return
        for order in (self.state.orders[name] for name in cancels):
            if order.session == place.session and not order.settled:
                place.gateway.cancel(order, cancels[order.id])

    def _renew(self) -> None:
        """Log our order session on anew where what it carried is held in doubt.

        Once in an epoch: from then on nothing that we sent before can arrive late, and the
        leader may take the venue's word for it.
        """
        place = self._place
        if self.renewed >= self.epoch or place.gateway.exclusive or not place.gateway.logged_on:
            return
        open_orders = self.state.open_orders()
        own = [o for o in open_orders if o.session == place.session or o.elsewhere]
        costly = place.profile.on_disconnect == "cancel" and any(o.exists for o in own)
        if not costly and any(o.held and place.session in o.ways for o in open_orders):
            place.gateway.renew()

    def _know(self, **changes: object) -> None:
        self._known = msgspec.structs.replace(self._known, **changes)

    def _written(self, name: str, mod: int) -> bool:
        """Take note of a revision that wrote a key of the leader; return whether it is news."""
        news = mod > int(getattr(self._known, name))
        if news:
            self._know(**{name: mod})
        return news

    async def _catch_up(self) -> None:
        """See what the leader wrote last, ahead of a stream that lags.

        Where its link closed, only what it writes from now on is a sign of life: what the
        stream still brings from before is none, and would lose us the challenge.
        """
        with contextlib.suppress(Unreachable):
            leader, beat, tail = await candidacy.standing(self._place.journal, patience_s=ASK_S)
            if leader == self._known.leader_mod:
                self._written("beat_mod", beat)
                self._written("tail_mod", tail)

    def _archive(self, index: int) -> None:
        """Archive what the leader's snapshot covers: it lets go of what all sites have."""
        folder = self._place.journal.archived
        if folder is None or (self._archiving is not None and not self._archiving.done()):
            return

        async def work() -> None:
            with contextlib.suppress(Unreachable):
                await archive_up_to(self._place.journal, folder, min(index, self.state.index))

        self._archiving = asyncio.create_task(work())

    # The election

    async def _watch(self) -> None:
        """Look at the time often enough to notice a silent leader."""
        tick_s = self._election.terms.tick_ns / 1e9
        looked = 0.0
        while True:
            now = clock.monotonic()
            if now - looked >= LOOK_S:
                looked = now
                self.prune()
                if self.leader not in {"", self._place.site}:
                    self._renew()
                self._step(election.AbleChanged(not self.fault()))
                metrics.JOURNAL_WRITABLE.set(not self.unwritable(now))
            self._step(election.Looked(_now()))
            self._tell_awaiting(self._election.awaits_order(_now()))
            due_s = (self._election.due_ns - _now()) / 1e9
            # Where it is past due, we cannot lead or are asking: time alone changes neither.
            wait_s = min(tick_s, max(due_s, 0.001)) if due_s > 0 else tick_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._look.wait()
            self._look.clear()

    def _tell_awaiting(self, awaiting: bool) -> None:
        if awaiting and not self.awaiting:
            log.error("leader silent: waiting for an order", leader=self.leader, epoch=self.epoch)
        self.awaiting = awaiting
        metrics.AWAITS_ORDER.set(awaiting)

    def prune(self) -> None:
        """Drop what the journal says by now; a divergence is counted and told."""
        for found in self.standby.prune(self.state, self._place.feeds.market.seq):
            metrics.DIVERGENCES.inc()
            metrics.ALARMS.labels("divergence").inc()
            log.error(
                "alarm",
                kind="divergence",
                detail=found.decision,
                journaled=found.journaled,
                here=found.here,
            )

    def fault(self) -> str:
        """Return why this site could not lead now; empty where it could."""
        if not self.heard:
            return "the journal does not answer"
        return self.comparison.forbids or self._place.fault()

    def _step(self, event: election.Event) -> None:
        self._election, action = election.step(self._election, event)
        if isinstance(event, election.LinkChanged | election.Unanswered):
            self._look.set()
        match action:
            case election.Challenge():
                self._asking = asyncio.create_task(self._challenge())
            case election.Lead(leadership, mod) if self._in_order and self.kill is not None:
                leader = Leader(self._place.journal, leadership, mod, self.state.index, self.kill)
                self._win(Won(leader=leader, batches=()), "named")
            case election.Ask() | election.Lead():
                self._asking = asyncio.create_task(self._ask())
            case None:
                pass

    async def _challenge(self) -> None:
        silent_ms = (_now() - self._election.heard_ns) / 1e6
        known = self._known
        log.warning(
            "leader silent: challenging",
            leader=self.leader,
            epoch=self.epoch,
            silent_ms=round(silent_ms, 1),
            link_lost=self._election.link_lost_ns is not None,
        )
        try:
            won = await candidacy.challenge(
                self._place.journal,
                known,
                owner=self._place.owner,
                site=self._place.site,
                terms=self._place.terms,
            )
        except (OutcomeUnknown, NoSpace) as fault:
            log.warning("challenge without an answer", reason=str(fault))
            await asyncio.sleep(AGAIN_S)
            self._step(election.Unanswered())
            return
        if won is None:
            log.info("the leader lives", leader=self.leader)
            if silent_ms > self._election.terms.detection_ns / 1e6 and self._reading is not None:
                self._reading.cancel()  # it writes, and our stream does not say so
            self._step(election.Refused(_now()))
            return
        self._win(won, "challenge")

    async def _ask(self) -> None:
        """Ask who leads: we may have won an election whose answer was lost, or been named."""
        try:
            won = await candidacy.named(
                self._place.journal, self._known, owner=self._place.owner, patience_s=ASK_S
            )
        except (Unreachable, etcd.EtcdError) as fault:
            log.warning("the journal does not answer", reason=str(fault))
            self._step(election.Unanswered())
            return
        if won is None:
            self._step(election.Answered(_now()))
            return
        self._win(won, "named")

    def _win(self, won: Won, how: str) -> None:
        if not self._won.done():
            metrics.TAKEOVERS.labels(how).inc()
            self._won.set_result(won)


def _now() -> int:
    return clock.monotonic_ns()
