"""Kills processes of a deployed environment under a stream of orders; finds what was lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.core.journal import Journal
from apps.core.records import JournalRecord
from apps.core.settings import ExecutionSettings
from apps.core.sites import overview
from apps.execution.reconcile import Account, compare, of_journal, of_venue
from opsctl import environments
from opsctl.health.probes import probe
from opsctl.targets import open_target
from opsctl.targets.base import Target
from tests.support import witness
from tests.support.client import Access, Client
from tests.support.servers import wait_for

RECOVERY_S = 60.0
SETTLE_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """What a round did to the platform, and what disagreed afterwards."""

    killed: tuple[str, ...]
    submitted: int
    acknowledged: int
    executions: int
    slowest_recovery_s: float
    faults: tuple[str, ...]


def target_of(name: str) -> Target:
    """Return the target of a deployed environment."""
    return open_target(environments.load(name).environment)


def unhealthy(target: Target) -> list[str]:
    """Return the services that do not do their work, each with the reason."""
    found = []
    for service in target.services():
        result = probe(
            service.probe, lambda name: Path(target.host.secret(name)).read_text().strip()
        )
        if not result.ok:
            found.append(f"{service.key}: {result.detail}")
    return found


def trading_sites(target: Target) -> list[str]:
    """Return the sites that run an execution app, in their order."""
    return [service.site for service in target.services() if service.name == "execution"]


def leading(target: Target) -> str:
    """Return the site that leads the order path; empty where the journal does not say."""
    access = Access(target)

    async def ask() -> str:
        settings = ExecutionSettings.of(**access.settings("execution"))
        async with Journal.of(settings) as journal:
            held = (await overview(journal, (), patience_s=5.0)).leader
            return held.site if held else ""

    return asyncio.run(ask())


def take_leader_away(
    name: str, away: Callable[[Target, str], None], back: Callable[[Target, str], object]
) -> Outcome:
    """Take the leading site's execution away until the other leads, then bring it back."""
    target = target_of(name)
    before = leading(target)

    def blow(client: Client) -> float:
        wait_for(lambda: len(client.acknowledged) > 20, "a stream of orders", RECOVERY_S)
        started = time.monotonic()
        away(target, before)
        try:
            wait_for(lambda: leading(target) not in ("", before), "another leader", RECOVERY_S)
            seen = len(client.acknowledged)
            wait_for(lambda: len(client.acknowledged) > seen, "acknowledgements", RECOVERY_S)
            return time.monotonic() - started
        finally:
            back(target, before)

    return _round(target, (f"execution@{before}",), blow)


def processes(target: Target) -> list[int]:
    """Return every process of an environment, its supervisor first, as a crash would hit it."""
    pids = {running.pid for running in target.observe() if running.pid}
    supervisor = {int(_stat(pid)[1]) for pid in pids} - {1, os.getpid()}
    return [*supervisor, *(pid for pid in pids if pid not in supervisor)]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def kill(target: Target, names: Sequence[str]) -> None:
    """Kill the named services with SIGKILL, all at once."""
    pids = [s.pid for s in target.observe() if s.key in names and s.pid]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def kill_each_in_turn(name: str, *, between_s: float = 1.0) -> Outcome:
    """Kill every process of an environment in turn, each time until all is healthy again."""
    target = target_of(name)
    keys = [service.key for service in target.services()]

    def blows(client: Client) -> float:
        slowest = 0.0
        for key in keys:
            before = len(client.acknowledged)
            started = time.monotonic()
            kill(target, [key])
            wait_for(lambda: not unhealthy(target), f"health after the kill of {key}", RECOVERY_S)
            wait_for(
                lambda before=before: len(client.acknowledged) > before,  # type: ignore[misc]
                f"acknowledgements after the kill of {key}",
                RECOVERY_S,
            )
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(between_s)  # orders flow undisturbed before the next blow
        return slowest

    return _round(target, keys, blows)


def kill_all_at_once(name: str, redeploy: Callable[[], object]) -> Outcome:
    """Kill every process and the supervisor at once, then bring the environment up again."""
    target = target_of(name)
    keys = [service.key for service in target.services()]

    def blow(client: Client) -> float:
        wait_for(lambda: len(client.acknowledged) > 20, "a stream of orders", RECOVERY_S)
        started = time.monotonic()
        for pid in processes(target):
            os.kill(pid, signal.SIGKILL)
        redeploy()
        before = len(client.acknowledged)
        wait_for(lambda: len(client.acknowledged) > before, "acknowledgements again", RECOVERY_S)
        return time.monotonic() - started

    return _round(target, keys, blow)


def watch(name: str) -> Outcome:
    """Kill nothing: send a stream of orders for a moment, and look for faults."""

    def quiet(client: Client) -> float:
        wait_for(lambda: len(client.acknowledged) > 20, "a stream of orders", RECOVERY_S)
        return 0.0

    return _round(target_of(name), (), quiet)


def _round(target: Target, keys: Sequence[str], blows: Callable[[Client], float]) -> Outcome:
    sites = [Access(target, site) for site in trading_sites(target)]
    with Client(*sites) as client:
        wait_for(lambda: len(client.acknowledged) > 5, "the first acknowledgements", RECOVERY_S)
        slowest = blows(client)
    wait_for(lambda: not unhealthy(target), "health at the end", RECOVERY_S)
    access = sites[0]
    faults = [f"{site.site}: {fault}" for site in sites for fault in settled_faults(site, client)]
    return Outcome(
        killed=tuple(keys),
        submitted=len(client.submitted),
        acknowledged=len(client.acknowledged),
        executions=len(witness.read(access.record).executions),
        slowest_recovery_s=round(slowest, 2),
        faults=tuple(faults),
    )


def journal_faults(access: Access) -> list[str]:
    """Return what the journal, read from its store itself, and the venue's record disagree on.

    The records are replayed from the first one on, the archive included.
    """

    async def account() -> Account:
        settings = ExecutionSettings.of(**access.settings("execution"))
        records: list[JournalRecord] = []
        async with Journal.of(settings) as journal:
            after, tail = 0, await journal.tail()
            while after < tail:
                for batch in await journal.read(after, tail):
                    records += batch.records
                    after = batch.last
        return of_journal(records)

    inner = asyncio.run(account())
    found = compare(of_venue(access.record.read_bytes().splitlines()), inner)
    words = {
        "lost": found.lost,
        "duplicated": found.duplicated,
        "mismatched": found.mismatched,
        "unsettled": found.unsettled,
    }
    return [f"journal: {kind}: {what}" for kind, them in words.items() for what in them]


def settled_faults(access: Access, client: Client) -> list[str]:
    """Return what still disagrees once the platform had time to settle and project."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        with access.books() as books:
            found = witness.faults(
                witness.read(access.record), witness.books_of(books), client.acknowledged
            )
        found += journal_faults(access)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.25)  # the replay goes on trading: look again until one instant agrees
