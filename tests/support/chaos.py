"""Rounds of blows on a deployed environment under a stream of orders; the drills judge them.

What breaks, who trades and who compares is `opsctl.drills`: a round only says in which order.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from opsctl import environments
from opsctl.deploy import records
from opsctl.deploy.health import secrets_of
from opsctl.drills.accounts import Accounts
from opsctl.drills.comparing import compared
from opsctl.drills.faults import Faults
from opsctl.drills.measurement import longest_gap_ms, ms
from opsctl.drills.shape import Load
from opsctl.drills.task import Bus, Task
from opsctl.drills.traffic import Traffic
from opsctl.health.report import probe_all
from opsctl.targets import open_target
from opsctl.targets.base import Target
from tests.support.servers import folder, wait_for

RECOVERY_S = 60.0
ORDERS_PER_S = 40.0


@dataclass(frozen=True)
class Outcome:
    """What a round did to the platform, and what disagreed afterwards."""

    killed: tuple[str, ...]
    submitted: int
    acknowledged: int
    executions: int
    slowest_recovery_s: float
    faults: tuple[str, ...]
    lost: int = 0
    duplicated: int = 0
    acceptance_gap_ms: float | None = None
    """The longest time without an acceptance by the venue, while the blows fell."""
    handover_gap_ms: float | None = None
    """The same from the last acceptance on one site's session to the first on the other's."""


def accounts_of(name: str) -> Accounts:
    """Return the accounts of an environment as it was deployed, else as its file says."""
    environment = records.environment(name) or environments.load(name).environment
    return Accounts(environment, open_target(environment))


def unhealthy(target: Target) -> list[str]:
    """Return the services that do not do their work, each with the reason."""
    probed = probe_all(target.services(), secrets_of(target))
    return [f"{key}: {result.detail}" for key, result in probed.items() if not result.ok]


def leading(accounts: Accounts) -> str:
    """Return the site that leads the order path; empty where the journal does not say."""
    held = accounts.overview().leader
    return held.site if held else ""


def take_leader_away(
    name: str, away: Callable[[Target, str], None], back: Callable[[Target, str], object]
) -> Outcome:
    """Take the leading site's execution away until the other leads, then bring it back."""
    accounts = accounts_of(name)
    target, before = accounts.target, leading(accounts)

    def blow(client: Traffic) -> float:
        started = time.monotonic()
        away(target, before)
        try:
            wait_for(lambda: leading(accounts) not in ("", before), "another leader", RECOVERY_S)
            _until_more(client, "acknowledgements")
            return time.monotonic() - started
        finally:
            back(target, before)

    return _round(accounts, (f"execution@{before}",), blow)


def processes(target: Target) -> list[int]:
    """Return every process of an environment, its supervisor first, as a crash would hit it."""
    pids = {running.pid for running in target.observe() if running.pid}
    supervisor = {int(_stat(pid)[1]) for pid in pids} - {1, os.getpid()}
    return [*supervisor, *(pid for pid in pids if pid not in supervisor)]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def kill_each_in_turn(name: str, *, between_s: float = 1.0) -> Outcome:
    """Kill every process of an environment in turn, each time until all is healthy again."""
    accounts = accounts_of(name)
    target = accounts.target
    keys = [service.key for service in target.services()]
    faults = Faults(accounts.environment, target)

    def blows(client: Traffic) -> float:
        slowest = 0.0
        for key in keys:
            started = time.monotonic()
            faults.killing([key])()
            wait_for(lambda: not unhealthy(target), f"health after the kill of {key}", RECOVERY_S)
            _until_more(client, f"acknowledgements after the kill of {key}")
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(between_s)  # orders flow undisturbed before the next blow
        return slowest

    return _round(accounts, keys, blows)


def kill_all_at_once(name: str, redeploy: Callable[[], object]) -> Outcome:
    """Kill every process and the supervisor at once, then bring the environment up again."""
    accounts = accounts_of(name)
    keys = [service.key for service in accounts.target.services()]

    def blow(client: Traffic) -> float:
        started = time.monotonic()
        for pid in processes(accounts.target):
            os.kill(pid, signal.SIGKILL)
        redeploy()
        _until_more(client, "acknowledgements again")
        return time.monotonic() - started

    return _round(accounts, keys, blow)


def watch(name: str) -> Outcome:
    """Kill nothing: send a stream of orders for a moment, and look for faults."""
    return _round(accounts_of(name), (), lambda _: 0.0)


def under_orders(name: str, work: Callable[[], object], *, rate_per_s: float) -> Outcome:
    """Do some work, a command of the operator's say, while orders come; nothing is broken."""
    accounts = accounts_of(name)

    def blow(client: Traffic) -> float:
        started = time.monotonic()
        work()
        took_s = time.monotonic() - started
        _until_more(client, "acknowledgements afterwards")
        return took_s

    return _round(accounts, (), blow, rate_per_s)


def _until_more(client: Traffic, what: str) -> None:
    before = client.acknowledged()
    wait_for(lambda: client.acknowledged() > before, what, RECOVERY_S)


def _round(
    accounts: Accounts,
    keys: Sequence[str],
    blows: Callable[[Traffic], float],
    rate_per_s: float = ORDERS_PER_S,
) -> Outcome:
    since = accounts.begin()
    buses = tuple(Bus(site, *at) for site, at in accounts.buses().items())
    with folder() as kept:
        client = Traffic(
            Task(f"chaos{uuid.uuid4().hex[:6]}", buses, Load(rate_per_s=rate_per_s)), kept
        )
        with client:
            wait_for(lambda: client.acknowledged() > 20, "a stream of orders", RECOVERY_S)
            began_ns = time.time_ns()
            slowest = blows(client)
            ended_ns = time.time_ns()
        wait_for(lambda: not unhealthy(accounts.target), "health at the end", RECOVERY_S)
        reconciled, unread = compared(accounts, client, since)
        venue = accounts.venue(since).read()
        taken = sorted(
            (a.at_ns, a.session) for a in venue.accepted if a.order.startswith(client.name)
        )
        moved = [(one, next_) for (one, on), (next_, to) in pairwise(taken) if on != to]
        return Outcome(
            killed=tuple(keys),
            submitted=client.submitted(),
            acknowledged=client.acknowledged(),
            executions=len(venue.executions),
            slowest_recovery_s=round(slowest, 2),
            faults=(*unread, *(reconciled.faults if reconciled else ())),
            lost=len(reconciled.lost) if reconciled else 0,
            duplicated=len(reconciled.duplicated) if reconciled else 0,
            acceptance_gap_ms=longest_gap_ms([at for at, _ in taken], began_ns, ended_ns),
            handover_gap_ms=max((ms(*gap) for gap in moved), default=None),
        )
