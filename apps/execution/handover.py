"""Handing the epoch over: on request, or because this site cannot trade and another can.

Where takeover is manual, only on request.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
import structlog

from apps.core import clock, etcd
from apps.core.etcd import NoSpace, OutcomeUnknown, Unreachable
from apps.core.journal import Leadership
from apps.core.leader import Deposed
from apps.core.sites import HANDOVER, Handover, Presence, overview
from apps.execution.leading import Leading
from apps.execution.place import Place

log = structlog.get_logger()

FRESH_S = 2.0
"""A presence that was not renewed for so long says nothing."""
LEVEL_RECORDS = 200
"""A successor that is further behind would keep orders waiting."""
UNFIT_S = 1.0
"""A leader that cannot trade for so long gives way to a site that can."""
LOOK_S = 0.2
ASK_S = 0.5


def refusal(to: str, mine: Leadership, epoch: int, there: Presence | None, tail: int) -> str:
    """Return why the epoch is not handed to a site; empty where it can be."""
    if epoch != mine.epoch:
        return f"it was asked of epoch {epoch}, and this is epoch {mine.epoch}"
    if to == mine.site:
        return f"site {to} leads already"
    if there is None:
        return f"site {to} has never been there"
    if there.fault:
        return f"site {to} could not lead: {there.fault}"
    if there.index < tail - LEVEL_RECORDS:
        return f"site {to} is {tail - there.index} records behind"
    return ""


class Handing:
    """The leader's side of a handover."""

    def __init__(self, place: Place, leading: Leading) -> None:
        """Serve one leadership."""
        self._place = place
        self._leading = leading
        self._unfit_since: float | None = None

    async def run(self) -> None:
        """Serve requests, and give way where this site cannot trade; ends by `Deposed`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._requests())
            if self._place.settings.takeover == "automatic":
                group.create_task(self._look())

    async def _requests(self) -> None:
        journal = self._place.journal
        key = journal.key(HANDOVER)
        while True:
            with contextlib.suppress(Unreachable):
                answer = await journal.store.read(etcd.get(key))
                found = etcd.pair(answer.responses[0].response_range, key)
                await self._serve(found.value, found.mod)
                revision = int(answer.header.revision)
                async for changes in journal.store.watch(key, "", revision + 1):
                    await self._serve(changes[-1].value or b"", changes[-1].revision)
            await asyncio.sleep(etcd.FIRST_BACKOFF_S)

    async def _serve(self, raw: bytes, mod: int) -> None:
        if not raw:
            return
        request = msgspec.json.decode(raw, type=Handover)
        if request.refused:
            return
        why_not = await self._hand_over(request.to, request.epoch, mod)
        if why_not:
            log.warning("handover refused", to=request.to, by=request.by, reason=why_not)
            refused = msgspec.structs.replace(request, refused=why_not)
            key = self._place.journal.key(HANDOVER)
            with contextlib.suppress(OutcomeUnknown, NoSpace):
                await self._place.journal.store.attempt(
                    [etcd.mod_is(key, mod)], [etcd.put(key, msgspec.json.encode(refused))], []
                )

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            fault = self._place.fault()
            if not fault:
                self._unfit_since = None
                continue
            now = clock.monotonic()
            self._unfit_since = self._unfit_since or now
            if now - self._unfit_since < UNFIT_S:
                continue
            for site in self._place.settings.peers:
                log.warning("this site cannot trade: giving way", reason=fault, to=site)
                why_not = await self._hand_over(site, self._leading.leader.mine.epoch, 0)
                log.warning("nobody to give way to", to=site, reason=why_not)
            self._unfit_since = now

    async def _hand_over(self, to: str, epoch: int, request_mod: int) -> str:
        """Hand over; return why not. Raises `Deposed` where it is done."""
        leading, journal = self._leading, self._place.journal
        mine = leading.leader.mine
        try:
            seen = await overview(journal, (to,), patience_s=ASK_S)
        except Unreachable as fault:
            return f"the journal does not answer: {fault}"
        there = seen.presences.get(to)
        if there is not None and leading.silent_s(there) > FRESH_S:
            there = None
        if why_not := refusal(to, mine, epoch, there, seen.tail):
            return why_not
        assert there is not None  # noqa: S101 - or it would have been refused
        successor = Leadership(
            epoch=epoch + 1,
            owner=there.owner,
            site=to,
            at_ns=journal.clock(),
            release=there.release,
            settings=there.settings,
        )
        # What is under way is sent before the epoch goes; its answers reach the successor by
        # drop copy while this does, and to wait for them here would only lengthen the pause.
        await leading.sequencer.pause()
        if await leading.leader.hand_over(successor, journal.key(HANDOVER), request_mod):
            raise Deposed(f"epoch {successor.epoch} was handed to site {to}")
        leading.sequencer.go_on()
        return "the request was withdrawn, or the journal did not answer in time"


__all__ = ["Handing", "refusal"]
