"""What must hold before a drill strikes, and who leads then."""

from __future__ import annotations

import time

import psycopg

from apps.core.etcd import EtcdError
from apps.core.journal import Leadership
from opsctl.drills import members
from opsctl.drills.accounts import Accounts, Since
from opsctl.drills.scenario import Scenario
from opsctl.drills.steady import STEADY_S, unsteady
from opsctl.drills.timeline import Timeline
from opsctl.drills.traffic import Traffic
from opsctl.drills.waiting import soon

FLOW_S = 20.0
"""How long the first acknowledgements may take."""
FLOWING = 20
"""Acknowledgements that are a stream."""
TRIES = 3
"""How often the journal's leading member is moved after a leader that changes."""
CALM_S = 1.5
"""Undisturbed orders before the fault, and after its end."""


class Blocked(Exception):
    """The drill was not begun: the steady state that it supposes is not there."""


def leader_of(accounts: Accounts) -> Leadership:
    """Return who leads; raises `Blocked` where nobody does, or the journal is silent."""
    try:
        leader = accounts.overview().leader
    except EtcdError as fault:
        raise Blocked(f"the journal does not answer: {fault}") from fault
    if leader is None:
        raise Blocked("no site leads the order path")
    return leader


def precheck(accounts: Accounts) -> Leadership:
    """Return who leads an environment that is in its steady state; raises `Blocked`."""
    environment = accounts.environment
    if len(environment.trading_sites) < 2:
        raise Blocked(
            f"{environment.name} has one site: nothing can take over; "
            "trading:dr: hot or warm gives it a second one"
        )
    if why := unsteady(accounts, STEADY_S):
        raise Blocked(f"the environment is not steady: {'; '.join(why)}")
    return leader_of(accounts)


def stand(accounts: Accounts) -> Since:
    """Return where the accounts stand before anything is broken; raises `Blocked`."""
    try:
        return accounts.begin()
    except (EtcdError, psycopg.Error) as fault:
        raise Blocked(f"an account cannot be read: {fault}") from fault


def flow(client: Traffic) -> None:
    """Wait until orders flow, and a little longer; raises `Blocked`."""
    if not soon(lambda: client.acknowledged() >= FLOWING, FLOW_S):
        raise Blocked("no stream of orders came to flow: is the kill switch on?")
    time.sleep(CALM_S)


def placed(
    scenario: Scenario, accounts: Accounts, former: Leadership, told: Timeline
) -> Leadership:
    """Have the journal's leading member in the site that leads, if that is to be lost with it.

    Returns who leads then. The lead follows that of the sites by itself, but not at once. The
    store elects for that, and a leader that cannot write meanwhile may be succeeded; so may
    one under the first orders: who leads is looked up last of all, and somebody new is told
    of. Raises `Blocked` where the two do not come to rest.
    """
    for _ in range(TRIES):
        if scenario.etcd_leader:
            told.say(members.lead(accounts.environment, accounts.target, former.site))
            time.sleep(CALM_S)
        leader = leader_of(accounts)
        if leader.epoch != former.epoch:
            told.say(f"{leader.site} took epoch {leader.epoch} before the fault")
        if leader.site == former.site or not scenario.etcd_leader:
            return leader
        former = leader
    raise Blocked("leadership goes to and fro without a fault: opsctl health, opsctl logs")
