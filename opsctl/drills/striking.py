"""The faults of a drill, from the first blow to their end; what they break is noted before."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from apps.core.etcd import EtcdError
from apps.core.journal import Leadership
from opsctl.drills import underway
from opsctl.drills.accounts import Accounts
from opsctl.drills.begin import Blocked
from opsctl.drills.effects import Effect, effect, everything, links_of, ordered
from opsctl.drills.faults import Faults
from opsctl.drills.mending import MEND_S, lifted
from opsctl.drills.scenario import Scenario
from opsctl.drills.schedule import Step, last_blow, steps
from opsctl.drills.steady import STEADY_S, unsteady
from opsctl.drills.timeline import Timeline
from opsctl.drills.underway import Underway
from opsctl.drills.waiting import POLL_S
from opsctl.errors import OpsctlError

HUSH_S = 0.5
"""What a drill looks up before its blow takes time from those who trade: they catch up first."""
LOOK_S, AWAITED = 0.5, 5
"""Who looks whether trading goes on waits so long, and for so many orders."""
ASKED = 3
"""How often a handover is asked for at most."""


class Mover(Protocol):
    """Moves leadership, as `opsctl failover` does; raises `OpsctlError` where it cannot."""

    def __call__(self, to: str, *, emergency: bool = False) -> None:
        """Hand the order path over to a site, or name it the leader without asking the former."""
        ...


class Striking:
    """The faults of one run on one environment, and their rollback."""

    def __init__(self, accounts: Accounts, standing: Underway, move: Mover, told: Timeline) -> None:
        """Break nothing yet; `standing` names the run."""
        self._accounts = accounts
        self._faults = Faults(accounts.environment, accounts.target)
        self._noted = standing
        self._mover = move
        self._told = told
        self._effects: list[Effect] = []
        self._steps: list[Step] = []
        self._standing: set[int] = set()
        self._began = 0.0
        self._must_move = True
        self._acknowledged: Callable[[], int] = lambda: 0
        self._look_s = LOOK_S

    def prepare(
        self, scenario: Scenario, former: Leadership, acknowledged: Callable[[], int]
    ) -> None:
        """Settle what each fault hits, now that it is known who leads; break nothing.

        `acknowledged` counts the client's orders: an operator who is to act sees by it whether
        trading goes on.

        Raises `Blocked` where the environment, or this target, lacks what a fault needs.
        """
        trading = self._accounts.environment.trading_sites
        other = next(s for s in trading if s != former.site)
        places = self._faults.places({"leader": former.site, "follower": other})
        try:
            self._effects = [effect(fault, places) for fault in scenario.faults]
        except OpsctlError as lacking:
            raise Blocked(f"not applicable here: {lacking.message}") from lacking
        if waits_s := scenario.waits_s(self._accounts.environment.recovery):
            self._effects.append(ordered(self._effects, other, waits_s))
        if refused := list(self._faults.refusals(self._effects)):
            raise Blocked("; ".join(refused))
        self._steps = steps(self._effects)
        self._acknowledged = acknowledged
        self._look_s = max(LOOK_S, AWAITED / scenario.load.rate_per_s)
        self._must_move = scenario.leadership == "moves"

    def strike(self) -> None:
        """Let the blows fall, each at its time, and what ends before the last of them end."""
        self._noted = everything(self._effects, self._noted)
        underway.note(self._accounts.environment.name, self._noted)
        first = self._steps[0]
        blow = self._aimed(first)
        time.sleep(HUSH_S)
        self._began = time.monotonic()
        self._told.strike(self._effects[first.number].said, blow)
        count = last_blow(self._steps) + 1
        for step in self._steps[1:count]:
            self._take(step)
        self._steps = self._steps[count:]

    def finish(self) -> None:
        """Let what stands come to its end, each fault at its time."""
        if not self._steps:
            self._told.lifting()
        for step in self._steps:
            self._take(step)
        self._steps = []

    def _take(self, step: Step) -> None:
        each = self._effects[step.number]
        if step.strikes:
            self._wait(step)
            blow = self._aimed(step)
            if step.pulse == 0:
                self._told.strike(each.said, blow)
            else:
                blow()
            return
        self._wait(step)
        self._told.lifting()
        if step.pulse == each.times - 1:
            self._told.say(f"lifted: {each.said}")
        self._standing.discard(step.number)
        still = [self._effects[number] for number in sorted(self._standing)]
        gone = everything([each], self._noted).less(everything(still, self._noted))
        self._faults.lift(gone)
        shared = {name: state for name, state in links_of(still).items() if name in each.links}
        self._faults.disturb(shared)

    def _wait(self, step: Step) -> None:
        time.sleep(max(0.0, self._began + step.at_s - time.monotonic()))

    def _aimed(self, step: Step) -> Callable[[], None]:
        each = self._effects[step.number]
        if each.hold_s:
            self._standing.add(step.number)
        if each.to:
            return lambda: self._ask(each.to, emergency=each.ordered)
        still = [self._effects[number] for number in sorted(self._standing)]
        return self._faults.aimed(each, links_of(still))

    def roll_back(self, to: str, make_room: Callable[[], None]) -> str:
        """Lift everything, wait for the steady state, give leadership back to a site.

        What cannot be lifted is tried again for a while; what then still stands is left to the
        next command, and no drill begins before. A handover has a record of its own: room for it
        is made as late as it is needed, should the disk be running full. Returns why that did
        not succeed; empty where it did.
        """
        self._told.say("rolling back")
        try:
            still = lifted(self._faults, self._noted, self._told.say, within_s=MEND_S)
            if still:
                return f"the rollback did not succeed: {still}"
            if why := unsteady(self._accounts, STEADY_S):
                return f"not steady after the rollback: {'; '.join(why)}"
            underway.clear(self._accounts.environment.name)
            leader = self._accounts.overview().leader
            if leader is not None and leader.site != to:
                make_room()
                self._move(to)
                self._told.say(f"{to} leads again")
        except (OpsctlError, EtcdError) as fault:
            said = fault.message if isinstance(fault, OpsctlError) else str(fault)
            return f"the rollback did not succeed: {said}"
        return ""

    def _ask(self, to: str, *, emergency: bool) -> None:
        """Hand over; where other faults stand in the way that may be refused, and is told."""
        if emergency and self._trades():
            self._told.say("trading goes on: nothing is ordered")
            return
        try:
            self._move(to, emergency=emergency)
        except OpsctlError as refused:
            if self._must_move:
                raise
            self._told.say(f"not handed over: {refused.message}")

    def _trades(self) -> bool:
        before = self._acknowledged()
        time.sleep(self._look_s)
        return self._acknowledged() > before

    def _move(self, to: str, *, emergency: bool = False) -> None:
        """Hand over; what was refused is asked again, as a person would, and shown."""
        for left in range(ASKED, 0, -1):
            try:
                self._mover(to, emergency=emergency)
            except OpsctlError as refused:
                if self._leads(to):  # it took over by itself meanwhile
                    return
                if left == 1:
                    raise
                self._told.say(f"{refused.message}: asking again")
                time.sleep(POLL_S)
            else:
                return

    def _leads(self, site: str) -> bool:
        with contextlib.suppress(EtcdError):
            leader = self._accounts.overview().leader
            return leader is not None and leader.site == site
        return False
