"""Waiting for the successor of a leader that a drill took away, and holding the fault."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from apps.core.etcd import EtcdError
from apps.core.journal import Leadership
from opsctl.drills.accounts import Accounts
from opsctl.drills.begin import CALM_S
from opsctl.drills.scenario import Scenario
from opsctl.drills.striking import Striking
from opsctl.drills.timeline import Timeline
from opsctl.drills.traffic import Traffic
from opsctl.drills.waiting import soon

UNDISTURBED_S = 0.7
"""How long a takeover is left alone: longer than the slowest goal."""


class Succession:
    """Who took over, if anybody did."""

    def __init__(self, accounts: Accounts, former: Leadership, told: Timeline) -> None:
        """Look for an epoch after the former leader's."""
        self.former = former
        self.successor: Leadership | None = None
        self._accounts = accounts
        self._told = told

    def await_end(self, scenario: Scenario, client: Traffic, striking: Striking) -> Iterator[str]:
        """Wait for what must happen, let the faults come to their end, stay calm.

        Yields what did not happen within the objective, or should not have.
        """
        objective_s = self._accounts.environment.recovery.rto_s
        if scenario.leadership == "moves" and not soon(
            self._succeeded, objective_s, first_s=UNDISTURBED_S
        ):
            yield f"nobody took over within {objective_s:g} s"
        if scenario.recovery != "after-lift":
            yield from self._goes_on(client, objective_s)
        striking.finish()
        if scenario.recovery == "after-lift":
            yield from self._goes_on(client, objective_s)
        time.sleep(CALM_S)
        if scenario.leadership != "moves" and self._succeeded() and scenario.leadership == "stays":
            yield "leadership moved, which it must not in this scenario"

    def _goes_on(self, client: Traffic, within_s: float) -> Iterator[str]:
        before = client.acknowledged()
        if not soon(lambda: client.acknowledged() > before, within_s):
            yield f"no order was acknowledged within {within_s:g} s"

    def _succeeded(self) -> bool:
        with contextlib.suppress(EtcdError):
            leader = self._accounts.overview().leader
            if leader is not None and leader.epoch > self.former.epoch:
                self.successor = leader
                # By the leader's own clock, which a drill may have set.
                at_ns = max(self._told.fault_ns, min(leader.at_ns, time.time_ns()))
                self._told.add(at_ns, f"{leader.site} leads epoch {leader.epoch}")
                return True
        return False
