"""The execution app: follows the journal, leads when it is its turn, and follows again.

A site that is alone takes the next epoch at once. Where several sites trade, each keeps
its sessions logged on and its state level, and the election says which of them leads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from apps.core import clock, etcd, retention
from apps.core.app import App, NotReady
from apps.core.bus import Bus
from apps.core.etcd import NoSpace, OutcomeUnknown, Unreachable
from apps.core.journal import Journal, KillView
from apps.core.leader import Deposed, Leader
from apps.core.settings import ExecutionSettings
from apps.core.sites import Presence, overview, presence_key
from apps.execution import metrics
from apps.execution.belonging import until_ours
from apps.execution.election import Terms
from apps.execution.feeds import Feeds
from apps.execution.following import SILENT_S, Following
from apps.execution.gateway import Gateway, StoreLock
from apps.execution.handover import Handing
from apps.execution.leading import Leading, unlinked_beat_s
from apps.execution.peers import Peers
from apps.execution.place import Place
from apps.execution.replay import replay
from apps.execution.standby import Standby
from apps.execution.state import State
from apps.execution.stopping import Asked, Stopping, foreseen
from apps.execution.teller import Teller, Told

log = structlog.get_logger()

ROOM = 256
"""Decisions that a leader takes in; more stay on the bus."""
STANDBY_ROOM = 8_192
"""Decisions that a follower keeps."""
PRESENT_S, UNCHANGED_S = 0.1, 0.5
"""How often a site describes itself, and how often where there is nothing new to tell."""
ASK_S = 0.5


CLOCK_S = 1.0
"""How often the wall clock is looked at."""
SET_BACK_NS = 2_000_000_000


class ClockSetBack(Exception):
    """The FIX engine would not dial a lost session before the clock has caught up."""


class Execution(App[ExecutionSettings]):
    """Order management, journal and FIX gateway of one site."""

    settings_type = ExecutionSettings

    def __init__(self, settings: ExecutionSettings) -> None:
        """Keep the settings; open nothing yet."""
        super().__init__(settings)
        self._phase = "starting"
        self._role: Following | Leading | None = None
        self._standby: Standby | None = None
        self._stopping: Stopping | None = None

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
        await until_ours(journal, self._waits)
        place = self._place(journal, bus)
        owner = place.owner
        # A site that is alone leads from here on: whoever led before can append nothing more.
        leader: Leader | None = None
        if place.alone:
            leader = await Leader.take(journal, owner=owner, site=settings.site, terms=place.terms)
        before = await self._presence_before(journal)
        self._phase = "replaying the journal"
        replayed = await replay(journal, leader.tail if leader else await journal.tail())
        state = replayed.state
        intents = max(state.source_of(place.site), before.intents if before else "", key=_entry)
        inbound = _latest(state.inbound, before.inbound if before else {})
        self._standby = standby = Standby(intents, {})
        place.take = standby.take
        self._furnish(place)
        self._stopping = Stopping(place, self._saw_kill)
        await self._stopping.recall()
        self._phase = ""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_again(place, replayed.messages, state))
            group.create_task(place.teller.run())
            group.create_task(place.feeds.run(intents, self._room))
            group.create_task(self._connect(place, inbound))
            group.create_task(self._mind_clock(place))
            if not place.alone:
                group.create_task(self._keep_links(self._linked(place)))
                group.create_task(self._present(place))
            group.create_task(self._roles(place, state, standby, leader))

    def _waits(self, why: str) -> None:
        self._phase = why

    # What a simulated world makes of other stuff

    def _place(self, journal: Journal, bus: Bus) -> Place:
        """Return where this process works; its owner's name is its own alone."""
        site = self.settings.site
        owner = f"{site}/{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        return Place(self.settings, owner, journal, Teller(bus))

    def _furnish(self, place: Place) -> None:
        """Give a place its bus and its sessions; nothing is read or sent yet."""
        place.feeds = Feeds(Bus.of(self.settings, one_caller=True), place.put, place.utc_ns)
        place.gateway = Gateway(self.settings, place.put, place.utc_ns)
        metrics.BUS_UP.set_function(lambda: float(not place.feeds.silent))

    async def _keep_links(self, changed: Callable[[str, bool], None]) -> None:
        """Keep the links to the other sites' apps, for ever."""
        await Peers(self.settings, changed).run()

    async def _presence_before(self, journal: Journal) -> Presence | None:
        """Return how the former process of this site described itself last."""
        if len(self.settings.sites) < 2:
            return None
        found = await overview(journal, (self.settings.site,))
        return found.presences.get(self.settings.site)

    async def _connect(self, place: Place, inbound: dict[str, int]) -> None:
        """Log on, and log out when this is cancelled."""
        place.gateway.open(inbound)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(place.gateway.close)

    async def _mind_clock(self, place: Place) -> None:
        """End where a session is lost under a clock that was set back; it is started anew.

        The engine waits between two dials by the wall clock, and begins with a dial.
        """
        latest_ns = 0
        while True:
            now_ns = place.utc_ns()
            latest_ns = max(latest_ns, now_ns)
            behind_ns = latest_ns - now_ns
            if behind_ns > SET_BACK_NS and (lost := place.gateway.fault()):
                raise ClockSetBack(f"the clock was set back by {behind_ns / 1e9:.0f} s, and {lost}")
            await asyncio.sleep(CLOCK_S)

    async def _tell_again(self, place: Place, messages: Sequence[Told], state: State) -> None:
        """Tell the bus what it may have missed when the former process ended."""
        last = await place.teller.last_index()
        if state.index:  # before the first record nobody knows of any capital
            place.teller.tell([m for m in messages if m.index >= last], state.message())

    # Roles

    async def _roles(
        self, place: Place, state: State, standby: Standby, leader: Leader | None
    ) -> None:
        """Follow and lead in turn, for ever; a site that is alone ends when it is deposed."""
        sites = self.settings.sites
        terms = Terms(
            owner=place.owner,
            site=place.site,
            manual=self.settings.takeover == "manual",
            rank=sites.index(place.site) if place.site in sites else 0,
            detection_ns=self.settings.detection_ms * 1_000_000,
            beat_ns=int(unlinked_beat_s(self.settings.detection_ms) * 1e9),
        )
        while True:
            if leader is None:
                self._role = following = Following(place, state, standby, terms)
                place.take = following.take
                leader = (await following.until_leading()).leader
                state = following.state
            self._role = leading = Leading(place, leader, state)
            leading.begin(standby.takeover())
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(leading.lead())
                    if not place.alone:
                        group.create_task(Handing(place, leading).run())
            except* Deposed as over:
                if place.alone:
                    raise
                log.warning("deposed", reason=str(_first(over)))
            state, leader = leading.state, None
            standby = self._follow_again(place, leading)

    def _follow_again(self, place: Place, leading: Leading) -> Standby:
        """Return what a deposed leader keeps: what it had not decided yet."""
        state = leading.state
        self._standby = standby = Standby(state.source_of(place.site), dict(state.inbound))
        for event in leading.sequencer.left():
            standby.take(event)
        standby.up = {s for s in place.gateway.sessions if place.gateway.up(s)}
        place.take = standby.take
        return standby

    def _linked(self, place: Place) -> Callable[[str, bool], None]:
        def changed(site: str, up: bool) -> None:
            place.links[site] = up
            if isinstance(self._role, Following):
                self._role.link(site, up)
            elif isinstance(self._role, Leading):
                self._role.link(up)

        return changed

    def _room(self) -> bool:
        match self._role:
            case Leading():
                return self._role.sequencer.waiting < ROOM
            case _:
                return self._standby is None or len(self._standby.decisions) < STANDBY_ROOM

    # Stopping without the journal

    def routes(self) -> Sequence[BaseRoute]:
        """Offer `opsctl halt` what it asks for where the journal does not answer it."""
        return [Route("/stop", self._stop, methods=["POST"])]

    async def _stop(self, request: Request) -> Response:
        """Cancel on this site's session, and let no order leave until the halt is journaled."""
        try:
            asked = msgspec.json.decode(await request.body(), type=Asked)
        except msgspec.MsgspecError as fault:
            return JSONResponse({"detail": f"not a request to stop: {fault}"}, status_code=400)
        role, stopping = self._role, self._stopping
        if role is None or stopping is None:
            why = self._phase or "waiting for the journal"
            return JSONResponse({"detail": f"knows of no order yet: {why}"}, status_code=503)
        trouble = role.unwritable(clock.monotonic())
        if not trouble:
            why = "the journal takes writes: opsctl halt stops trading and cancels what is open"
            return JSONResponse({"detail": why}, status_code=409)
        done = stopping.stop(asked, foreseen(role.state, role.reports), trouble)
        return Response(msgspec.json.encode(done), media_type="application/json")

    def _saw_kill(self, view: KillView) -> None:
        """Take note of a kill switch that was read; a follower's stream brings it."""
        if isinstance(self._role, Leading):
            self._role.leader.saw(view)

    # What the other sites and people see

    async def _present(self, place: Place) -> None:
        """Describe this site in the journal's store, for ever."""
        journal, folder = place.journal, place.journal.archived
        archived = await retention.archived(folder) if folder else 0
        looks = 0
        last: Presence | None = None
        told_at = 0.0
        while True:
            role = self._role
            now = clock.monotonic()
            told = self._presence(place, role, archived) if role is not None else None
            if told is not None and (now - told_at >= UNCHANGED_S or _news(told, last)):
                put = etcd.put(presence_key(journal, place.site), msgspec.json.encode(told))
                with contextlib.suppress(OutcomeUnknown, NoSpace):
                    await journal.store.attempt([], [put], [])
                last, told_at = told, now
            looks += 1
            if looks % 10 == 0:
                archived = await retention.archived(folder) if folder else 0
                await self._look_around(journal)
            await asyncio.sleep(PRESENT_S)

    async def _look_around(self, journal: Journal) -> None:
        """Tell a leader how the other sites describe themselves."""
        leading = self._role
        if not isinstance(leading, Leading):
            return
        with contextlib.suppress(Unreachable):
            seen = await overview(journal, tuple(self.settings.peers), patience_s=ASK_S)
            leading.heard_of(seen.presences)

    def _presence(self, place: Place, role: Following | Leading, archived: int) -> Presence:
        leads = isinstance(role, Leading)
        standby, state = self._standby, role.state
        return Presence(
            site=place.site,
            owner=place.owner,
            role="leader" if leads else "follower",
            epoch=role.epoch,
            index=state.index,
            session_up=place.gateway.logged_on if leads else not place.gateway.fault(),
            market_seq=place.feeds.market.seq,
            intents=state.source_of(place.site) if leads or not standby else standby.intents,
            inbound=dict(state.inbound) if leads or not standby else standby.inbound,
            archived=archived,
            renewed=role.renewed if isinstance(role, Following) else 0,
            outbound=place.gateway.exclusive.outbound if place.gateway.exclusive else 0,
            divergences=standby.divergences if standby else 0,
            settings=place.terms.settings,
            release=place.terms.release,
            fault=role.fault(),
            at_ns=place.utc_ns(),
        )

    async def ready(self) -> None:
        """Say what keeps orders from flowing, or this site from taking over."""
        role = self._role
        if self._phase or role is None:
            raise NotReady(self._phase or "waiting for the journal")
        if fault := role.fault():
            raise NotReady(fault)
        if isinstance(role, Following):
            if role.awaiting:
                raise NotReady(
                    "the leader is silent: this site leads as soon as somebody orders it"
                )
            if clock.monotonic() - role.heard > SILENT_S:
                raise NotReady("the journal is silent: nobody leads")
            if not role.leader:
                raise NotReady("nobody leads yet")
            if differs := role.comparison.difference:
                raise NotReady(differs.reason)


def _news(now: Presence, last: Presence | None) -> bool:
    """Whether a site's description says more than that the site is still there.

    How far a leader has got, the journal says itself, record by record.
    """
    if last is None:
        return True
    same = {"at_ns": last.at_ns}
    if now.role == "leader":
        same |= {
            name: getattr(last, name) for name in ("index", "market_seq", "intents", "inbound")
        }
    return msgspec.structs.replace(now, **same) != last


def _latest(journaled: dict[str, int], told: dict[str, int]) -> dict[str, int]:
    """Return the later number of each session."""
    return {s: max(journaled.get(s, 0), told.get(s, 0)) for s in journaled.keys() | told.keys()}


def _entry(source: str) -> tuple[int, int]:
    """Return the order of an id on the bus."""
    at_ms, _, number = source.partition("-")
    return int(at_ms or 0), int(number or 0)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
