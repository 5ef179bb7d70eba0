"""The fault of a drill, from its blow to its end: what stands is written down before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from apps.core.etcd import EtcdError
from apps.core.journal import Leadership
from opsctl.drills import underway
from opsctl.drills.accounts import Accounts
from opsctl.drills.faults import Faults
from opsctl.drills.scenario import Fault, Freeze, HandOver, Kill, Lose, Part
from opsctl.drills.steady import STEADY_S, unsteady
from opsctl.drills.timeline import Timeline
from opsctl.drills.underway import Underway
from opsctl.drills.waiting import POLL_S
from opsctl.errors import OpsctlError

HUSH_S = 0.5
"""What a drill looks up before its blow takes time from those who trade: they catch up first."""
ASKED = 3
"""How often a handover is asked for at most."""


class Mover(Protocol):
    """Moves leadership, as `opsctl failover` does; raises `OpsctlError` where it cannot."""

    def __call__(self, to: str) -> None:
        """Hand the order path over to a site."""
        ...


class Striking:
    """One fault on one environment, and its rollback."""

    def __init__(self, accounts: Accounts, standing: Underway, move: Mover, told: Timeline) -> None:
        """Break nothing yet; `standing` names the run."""
        self._accounts = accounts
        self._faults = Faults(accounts.environment, accounts.target)
        self._standing = standing
        self._mover = move
        self._told = told

    def strike(self, fault: Fault, former: Leadership) -> None:
        """Break what the scenario says, now."""
        trading = self._accounts.environment.trading_sites
        other = next(s for s in trading if s != former.site)
        sites = {"leader": former.site, "follower": other}
        faults = self._faults
        blow: Callable[[], None]
        match fault:
            case Kill():
                keys = faults.of_site(sites[fault.site], fault.services)
                said, blow = f"SIGKILL of {', '.join(keys)}", faults.killing(keys)
            case Freeze():
                keys = faults.of_site(sites[fault.site], fault.services)
                self._note(frozen=keys)
                said, blow = f"SIGSTOP of {', '.join(keys)}", faults.freezing(keys)
            case Lose():
                keys = faults.of_site(sites[fault.site])
                self._note(down=keys)
                said = f"SIGKILL of all {len(keys)} processes of site {sites[fault.site]}"
                blow = faults.losing(keys)
            case Part():
                names = faults.between_sites()
                self._note(cut=names)
                said, blow = f"{len(names)} links are cut", lambda: faults.cut(names)
            case HandOver():
                said, blow = f"handing over to {other}", lambda: self._move(other)
        time.sleep(HUSH_S)
        self._told.strike(said, blow)

    def lift(self) -> None:
        """End the fault."""
        self._told.say("the fault is lifted")
        self._faults.lift(self._standing)

    def roll_back(self, to: str) -> str:
        """Lift everything, wait for the steady state, give leadership back to a site.

        Returns why that did not succeed; empty where it did.
        """
        self._told.say("rolling back")
        try:
            self._faults.lift(self._standing)
            if why := unsteady(self._accounts, STEADY_S):
                return f"not steady after the rollback: {'; '.join(why)}"
            underway.clear(self._accounts.environment.name)
            leader = self._accounts.overview().leader
            if leader is not None and leader.site != to:
                self._move(to)
                self._told.say(f"{to} leads again")
        except (OpsctlError, EtcdError) as fault:
            said = fault.message if isinstance(fault, OpsctlError) else str(fault)
            return f"the rollback did not succeed: {said}"
        return ""

    def _note(self, **faults: tuple[str, ...]) -> None:
        self._standing = self._standing.model_copy(update=faults)
        underway.note(self._accounts.environment.name, self._standing)

    def _move(self, to: str) -> None:
        """Hand over; what was refused is asked again, as a person would, and shown."""
        for left in range(ASKED, 0, -1):
            try:
                self._mover(to)
            except OpsctlError as refused:
                if left == 1:
                    raise
                self._told.say(f"{refused.message}: asking again")
                time.sleep(POLL_S)
            else:
                return
