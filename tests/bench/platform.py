"""The whole intraday platform under a client: how many orders a second, how long each takes.

Both sites, the journal's three members, the books and the venue run as deployed, on the
same processors as the client. A round trip is from the client's decision to the venue's
acceptance, by the venue's own record.
"""

from __future__ import annotations

import sys
import time
import uuid
from typing import NamedTuple

from opsctl.drills.accounts import Accounts
from opsctl.drills.comparing import compared
from opsctl.drills.measurement import percentile
from opsctl.drills.shape import Load
from opsctl.drills.task import Bus, Task
from opsctl.drills.traffic import Traffic
from tests.bench.row import Row
from tests.soak.recorded import deployed
from tests.support.chaos import accounts_of
from tests.support.servers import folder, wait_for

NAME = "intraday"
GOAL_PER_S, GOAL_MS = 500, 10
OFFERED_PER_S = (GOAL_PER_S, 1_000, 1_500, 2_000, 3_000)
"""Each in turn, until the venue does not accept as many."""
WARM_S, MEASURED_S = 3.0, 10.0
KEPT_UP = 0.95
"""The share of what is offered that has to be accepted within the time measured."""


class Carried(NamedTuple):
    """What became of a load."""

    offered_per_s: int
    accepted_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    """Of the round trips of what was decided while it was measured."""

    @property
    def kept_up(self) -> bool:
        """Whether the platform took what was offered."""
        return self.accepted_per_s >= KEPT_UP * self.offered_per_s


def measure() -> list[Row]:
    """Deploy the intraday tier, and return what it carries."""
    carried: list[Carried] = []
    with deployed(NAME):
        accounts = accounts_of(NAME)
        for rate in OFFERED_PER_S:
            carried.append(carry(accounts, rate))
            if not carried[-1].kept_up:
                break
    first, most = carried[0], max(carried, key=lambda one: one.accepted_per_s)
    return [
        Row(
            f"round trip at {GOAL_PER_S} orders a second, decision to acceptance, p50",
            "",
            _ms(first.p50_ms),
        ),
        Row("the same, p99", f"<= {GOAL_MS} ms", _ms(first.p99_ms)),
        Row(
            "orders a second: whole platform, two sites and the client on this machine",
            "",
            f"{most.accepted_per_s:,.0f} of {most.offered_per_s:,} offered "
            f"(p50 {_ms(most.p50_ms)}, p99 {_ms(most.p99_ms)})",
        ),
    ]


def carry(accounts: Accounts, rate_per_s: int) -> Carried:
    """Keep so many orders a second coming for a while; stop where an account disagrees."""
    since = accounts.begin()
    buses = tuple(Bus(site, *at) for site, at in accounts.buses().items())
    task = Task(f"bench{uuid.uuid4().hex[:6]}", buses, Load(rate_per_s=rate_per_s))
    with folder() as kept:
        client = Traffic(task, kept)
        with client:
            wait_for(lambda: client.acknowledged() > 0, "the first acknowledgement")
            time.sleep(WARM_S)
            began_ns = time.time_ns()
            time.sleep(MEASURED_S)  # this is what is measured
            ended_ns = time.time_ns()
        reconciled, unread = compared(accounts, client, since)
        decided = {order: line.at_ns for line in client.submissions() for order in line.orders}
    if reconciled is None or not reconciled.clean:
        sys.exit(f"the accounts do not agree: {reconciled or unread}")
    venue = accounts.venue(since).read()
    accepted = {one.order: one.at_ns for one in venue.accepted if one.order in decided}
    waits = [
        (at_ns - decided[order]) / 1e6
        for order, at_ns in accepted.items()
        if began_ns <= decided[order] < ended_ns
    ]
    counted = sum(began_ns <= at_ns < ended_ns for at_ns in accepted.values())
    return Carried(
        offered_per_s=rate_per_s,
        accepted_per_s=counted / (ended_ns - began_ns) * 1e9,
        p50_ms=percentile(waits, 0.5),
        p99_ms=percentile(waits, 0.99),
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
