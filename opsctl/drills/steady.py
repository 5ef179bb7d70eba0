"""The steady state that a drill supposes, and must lead back to."""

from __future__ import annotations

import time

from apps.core.etcd import EtcdError
from apps.core.sites import Overview
from opsctl.deploy.health import secrets_of
from opsctl.drills.accounts import Accounts
from opsctl.health.report import probe_all

STEADY_S = 60.0
"""How long an environment may take to be steady before a drill, and after it."""
AGAIN_S = 0.5
LEVEL_RECORDS = 200
"""Records that a follower may lack."""
FRESH_NS = 3_000_000_000
"""A site that described itself longer ago is silent."""


def unsteady(accounts: Accounts, within_s: float) -> list[str]:
    """Return what keeps an environment from its steady state, after waiting for it.

    Every service does its work, every site's execution app is there, logged on, fit, and
    level with the journal.
    """
    deadline = time.monotonic() + within_s
    while True:
        found = _faults(accounts)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(AGAIN_S)


def _faults(accounts: Accounts) -> list[str]:
    probed = probe_all(accounts.target.services(), secrets_of(accounts.target))
    found = [f"{key}: {result.detail}" for key, result in probed.items() if not result.ok]
    if found:
        return found
    try:
        seen = accounts.overview()
    except EtcdError as fault:
        return [f"the journal does not answer: {fault}"]
    sites = accounts.environment.trading_sites
    return [why for site in sites if (why := _fault(seen, site, time.time_ns()))]


def _fault(seen: Overview, site: str, now_ns: int) -> str:
    there = seen.presences.get(site)
    if there is None or now_ns - there.at_ns > FRESH_NS:
        return f"the execution app of {site} is silent"
    if there.fault:
        return f"{site}: {there.fault}"
    if there.index < seen.tail - LEVEL_RECORDS:
        return f"{site} is {seen.tail - there.index} records behind"
    return "" if there.session_up else f"the order session of {site} is not logged on"
