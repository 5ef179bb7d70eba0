"""How an environment stands: who leads it by its heartbeats, and whether a site could take over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from apps.core.etcd import EtcdError
from apps.core.journal import Journal
from apps.core.sites import overview
from opsctl.deploy.rollout import Led
from opsctl.health.journal import answering
from opsctl.model.environment import Environment
from opsctl.recovery.leading import looks
from opsctl.recovery.look import look_at
from opsctl.recovery.outcome import Refusal
from opsctl.recovery.prechecks import check, reasons
from opsctl.targets.base import Target

BEATS_S = 1.5
"""Heartbeats are written twice a second or oftener: without one for so long nobody leads."""
READ_S = 2.0


def leads(environment: Environment, target: Target) -> Led | None:
    """Return who leads; None where nobody does, or the journal does not answer."""
    journal = answering(environment, target.services(), target.host)
    if journal is None:
        return None
    try:
        return asyncio.run(_leads(journal, environment.trading_sites))
    except EtcdError:
        return None


def against(environment: Environment, target: Target, to: str) -> Sequence[Refusal]:
    """Return what would refuse a planned handover to a site now; empty where nothing does."""
    journal = answering(environment, target.services(), target.host)
    if journal is None:
        return [Refusal(check="quorum", reason="no member of the journal answers")]

    async def ask() -> list[Refusal]:
        async with journal:
            found = await look_at(journal, environment, target, to, await_beat=True)
            return reasons(check(found.overview, found.facts))

    try:
        return asyncio.run(ask())
    except EtcdError as fault:
        return [Refusal(check="quorum", reason=f"the journal does not answer: {fault}")]


async def _leads(journal: Journal, sites: tuple[str, ...]) -> Led | None:
    async with journal:
        first: int | None = None
        async for seen in looks(journal, time.monotonic() + BEATS_S):
            if seen.leader is None:
                continue
            beat = seen.beat.at_ns if seen.beat and seen.beat.epoch == seen.leader.epoch else None
            if beat is not None and first is not None and beat != first:
                told = await overview(journal, sites, patience_s=READ_S)
                there = told.presences.get(seen.leader.site)
                fault = ""
                if there is not None and there.owner == seen.leader.owner:
                    fault = there.fault or (
                        "" if there.session_up else "its order session is not logged on"
                    )
                return Led(seen.leader.site, fault)
            first = beat if beat is not None else first
    return None
