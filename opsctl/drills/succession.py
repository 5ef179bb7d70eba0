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
        """Wait for what must happen, hold the fault as long as asked, lift it, stay calm.

        Yields what did not happen within the objective.
        """
        began = time.monotonic()
        objective_s = self._accounts.environment.recovery.rto_s
        awaits = scenario.takes_over
        if awaits and not soon(self._succeeded, objective_s, first_s=UNDISTURBED_S):
            yield f"nobody took over within {objective_s:g} s"
        before = client.acknowledged()
        if not soon(lambda: client.acknowledged() > before, objective_s):
            yield f"no order was acknowledged within {objective_s:g} s"
        hold_s = getattr(scenario.fault, "hold_s", 0.0)
        time.sleep(max(0.0, hold_s - (time.monotonic() - began)))
        if hold_s:
            striking.lift()
        time.sleep(CALM_S)

    def _succeeded(self) -> bool:
        with contextlib.suppress(EtcdError):
            leader = self._accounts.overview().leader
            if leader is not None and leader.epoch > self.former.epoch:
                self.successor = leader
                self._told.add(leader.at_ns, f"{leader.site} leads epoch {leader.epoch}")
                return True
        return False
