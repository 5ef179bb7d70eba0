"""The planned handover: ask the leader, wait for its successor's heartbeat, or withdraw."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec

from apps.core import etcd
from apps.core.etcd import OutcomeUnknown, Unreachable
from apps.core.journal import Journal
from apps.core.sites import HANDOVER, Handover, Overview, overview
from opsctl.errors import Interrupted
from opsctl.recovery.healing import ATTEMPTS, QUORUM_S, remove
from opsctl.recovery.leading import PATIENCE_S, Moved, epoch_of, leads, looks, named

LATE_S = 0.5
"""How long a request whose answer was lost may still arrive at the journal."""
POLL_LATE_S = 0.02


class Planned:
    """One request of a handover, from its writing until it is granted, refused or withdrawn."""

    def __init__(self, journal: Journal, asked: Handover) -> None:
        """Prepare; `hand_over` writes it."""
        self.journal = journal
        self.asked = asked
        self._unsure = False
        self._committed = 0.0

    async def hand_over(self, seen: Overview, say: Callable[[str], None]) -> Moved:
        """Ask, and return how it ended, after 5 s at the latest; the request is gone then.

        Raises:
            Interrupted: Ctrl-C; the message says what became of the request.
        """
        asked = self.asked
        try:
            # Before the request: what is said takes longer than the handover itself.
            say(f"asking the leader of epoch {asked.epoch} to hand over to {asked.to}")
            unasked = await self._ask(seen)
            if unasked is not None:
                if self._unsure:
                    await self._remove()
                return unasked
            return await self._answered() or await self._given_up()
        except Unreachable as fault:
            why = f"the journal does not answer; the next failover removes the request: {fault}"
            return Moved("failed", None, detail=why)
        except asyncio.CancelledError as stop:
            self._unsure = self._unsure or not self._committed
            raise Interrupted(
                f"stopped by Ctrl-C: {await self._withdrawn()}",
                hint="the command can be repeated",
            ) from stop

    async def _ask(self, seen: Overview) -> Moved | None:
        """Write the request where nobody else has asked and the leader is as it was seen.

        Returns why it could not be written, None where it was.
        """
        journal, key = self.journal, self.journal.key(HANDOVER)
        guards = [etcd.mod_is(key, 0), etcd.mod_is(journal.key("leader"), seen.leader_mod)]
        put = etcd.put(key, msgspec.json.encode(self.asked))
        for _ in range(ATTEMPTS):
            with contextlib.suppress(OutcomeUnknown):
                answer = await journal.store.attempt(guards, [put], [])
                self._committed = time.monotonic()
                if answer.succeeded:
                    return None
            now = await overview(journal, (), patience_s=QUORUM_S)
            self._committed = time.monotonic()
            if self._mine(now) or named(now, self.asked.to, self.asked.epoch):
                return None
            if now.handover is not None:
                by = now.handover.by
                return Moved("failed", epoch_of(now), detail=f"{by} asked for a handover first")
            if now.leader_mod != seen.leader_mod:
                return Moved("failed", epoch_of(now), detail="the leader changed meanwhile")
            self._unsure = True
        return Moved("failed", epoch_of(seen), detail="the journal takes no request")

    async def _answered(self) -> Moved | None:
        """Return how the leader answered; None where it did not in time."""
        to, epoch = self.asked.to, self.asked.epoch
        try:
            async for seen in looks(self.journal, self._committed + PATIENCE_S):
                if leads(seen, to, epoch):
                    return self._done(seen)
                if self._mine(seen) and seen.handover and seen.handover.refused:
                    await self._remove()
                    return Moved("refused", epoch_of(seen), detail=seen.handover.refused)
                if not self._mine(seen) and not named(seen, to, epoch):
                    return Moved("failed", epoch_of(seen), detail=self._lost(seen))
        except Unreachable:
            return None
        return None

    async def _given_up(self) -> Moved:
        """Withdraw what was not answered; a handover that came meanwhile is one."""
        to, epoch = self.asked.to, self.asked.epoch
        seen = await self._remove()
        if named(seen, to, epoch):
            async for seen in looks(self.journal, time.monotonic() + PATIENCE_S):
                if leads(seen, to, epoch):
                    return self._done(seen)
            why = f"{to} was named leader and sends no heartbeat"
            return Moved("failed", epoch_of(seen), detail=why)
        why = f"the leader did not answer within {PATIENCE_S:g} s; the request is withdrawn"
        return Moved("failed", epoch_of(seen), detail=why)

    async def _withdrawn(self) -> str:
        """Withdraw at a user's wish; return what came of it."""
        to = self.asked.to
        try:
            seen = await self._remove()
        except Unreachable:
            return "the journal does not answer; the next failover removes the request"
        if named(seen, to, self.asked.epoch):
            return f"the handover had happened, {to} leads epoch {epoch_of(seen)}"
        return "the request is withdrawn"

    async def _remove(self) -> Overview:
        """Remove the request, wherever it is; return what leadership looks like then."""
        late = time.monotonic() + (LATE_S if self._unsure else 0.0)
        tries = 0
        while True:
            seen = await overview(self.journal, (), patience_s=QUORUM_S)
            if self._mine(seen):
                tries += 1
                if not await remove(self.journal, seen.handover_mod) and tries == ATTEMPTS:
                    raise Unreachable("the request could not be removed")
            elif epoch_of(seen) != self.asked.epoch or time.monotonic() >= late:
                return seen
            else:
                await asyncio.sleep(POLL_LATE_S)

    def _mine(self, seen: Overview) -> bool:
        return seen.handover is not None and seen.handover.id == self.asked.id

    def _done(self, seen: Overview) -> Moved:
        return Moved("done", epoch_of(seen), (time.monotonic() - self._committed) * 1_000)

    def _lost(self, seen: Overview) -> str:
        if seen.leader is not None and seen.leader.epoch > self.asked.epoch:
            return f"{seen.leader.site} took epoch {seen.leader.epoch} meanwhile"
        return "somebody else removed the request"
