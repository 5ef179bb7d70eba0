"""Looking at an environment before a handover: long enough to see who still writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from apps.core.etcd import EtcdError
from apps.core.journal import Journal, KillView
from apps.core.sites import Overview, overview
from opsctl.health.journal import journal_at
from opsctl.health.journal import members as members_of
from opsctl.model.environment import Environment
from opsctl.recovery.healing import QUORUM_S
from opsctl.recovery.prechecks import STALE_NS, Bounds, Facts
from opsctl.targets.base import Target

POLL_S = 0.005
LONGEST_S = STALE_NS / 1e9
"""A presence that does not change while it is looked at for so long is stale."""
MEMBER_S = 1.0
"""How long a member may take for a linearizable read."""

OpenMember = Callable[[], Journal]
"""Returns a client that asks only one member."""


@dataclass(frozen=True)
class Look:
    """What was seen: the newest overview, what goes with it, and the kill switch."""

    overview: Overview
    facts: Facts
    kill: KillView


async def look_at(
    journal: Journal, environment: Environment, target: Target, to: str, *, await_beat: bool
) -> Look:
    """Look at an environment as it is deployed; `look` says how."""
    sites = environment.trading_sites
    return await look(
        journal,
        environment=environment.name,
        sites=sites,
        witnesses=tuple(s for s in environment.sites if s not in sites),
        to=to,
        members={
            site: partial(journal_at, environment, target.host, [probe])
            for site, probe in members_of(target.services()).items()
        },
        await_beat=await_beat,
    )


async def look(
    journal: Journal,
    *,
    environment: str,
    sites: tuple[str, ...],
    witnesses: tuple[str, ...],
    to: str,
    members: Mapping[str, OpenMember],
    await_beat: bool,
) -> Look:
    """Watch until the successor has rewritten its presence and the leader its heartbeat.

    At most for as long as makes a presence stale; the leader's heartbeat is waited for
    only with `await_beat`. Raises `Unreachable` where the journal does not answer.
    """
    asking = {site: asyncio.create_task(_answers(client())) for site, client in members.items()}
    try:
        first, seen, clocks, beat = await _watch(journal, sites, to, await_beat)
        kill = await journal.kill_switch(patience_s=QUORUM_S)
        answers = {site: await task for site, task in asking.items()}
    finally:
        for task in asking.values():
            task.cancel()
        await asyncio.gather(*asking.values(), return_exceptions=True)
    facts = Facts(
        environment=environment,
        sites=sites,
        witnesses=witnesses,
        to=to,
        tail=first.tail,
        now_ns=journal.clock(),
        clocks=clocks,
        beat_clock=beat,
        beat_awaited=await_beat,
        members=answers,
    )
    return Look(seen, facts, kill)


async def _watch(
    journal: Journal, sites: tuple[str, ...], to: str, await_beat: bool
) -> tuple[Overview, Overview, dict[str, Bounds], Bounds | None]:
    """Return the first and the last overview, and the clocks of what changed between."""
    until = time.monotonic() + LONGEST_S
    asked_ns = journal.clock()
    first = before = await overview(journal, sites, patience_s=QUORUM_S)
    clocks: dict[str, Bounds] = {}
    beat: Bounds | None = None
    while True:
        waiting = to in before.presences and to not in clocks
        waiting |= await_beat and before.beat is not None and beat is None
        if not waiting or time.monotonic() > until:
            return first, before, clocks, beat
        await asyncio.sleep(POLL_S)
        since_ns, asked_ns = asked_ns, journal.clock()
        now = await overview(journal, sites, patience_s=QUORUM_S)
        for site, presence in now.presences.items():
            known = before.presences.get(site)
            if known is not None and known.at_ns != presence.at_ns:
                clocks[site] = _bounds(presence.at_ns, since_ns, journal.clock())
        if now.beat and before.beat and now.beat.at_ns != before.beat.at_ns:
            beat = _bounds(now.beat.at_ns, since_ns, journal.clock())
        before = now


def _bounds(at_ns: int, since_ns: int, until_ns: int) -> Bounds:
    """Return the bounds of a clock that showed `at_ns` at some time between two of ours."""
    return Bounds(least_ns=at_ns - until_ns, most_ns=at_ns - since_ns)


async def _answers(member: Journal) -> str:
    """Return why a member does not answer a linearizable read; empty where it does."""
    async with member:
        try:
            await member.tail(patience_s=MEMBER_S)
        except EtcdError as fault:
            return str(fault)
    return ""
