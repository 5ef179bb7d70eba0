"""Carrying a change out step by step, as `rollout` decides from what runs and who leads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from opsctl.deploy.order_path import OrderPath
from opsctl.deploy.outcome import Taken
from opsctl.deploy.rollout import Goal, Led, Step, rollout
from opsctl.errors import DeployFailed
from opsctl.services.base import Service
from opsctl.targets.base import Plan, Running, Target, difference

CALM_S = 15.0
"""How long a leader may take to send orders again, after a step that it has noticed."""
ABLE_S = 30.0
"""How long a site may take to be able to take over, once all its services are healthy."""
AGAIN_S = 0.2
ASKED = 3
"""How often a handover is asked for: the leader may change by itself meanwhile."""

Services = tuple[Service, ...]


@dataclass(frozen=True)
class Hands:
    """What acts: each raises what stops the change.

    `apply` carries out a plan on a target that knows these services, `healthy` waits until
    services do their work, `check` is a safe point.
    """

    apply: Callable[[Plan, Services], None]
    healthy: Callable[[Services], None]
    check: Callable[[str], None]
    say: Callable[[str], None]


@dataclass
class Rolling:
    """One change on its way; `former` are the services as they were deployed before.

    With `whatever` a site that cannot take over stops nothing: what failed already must be
    gone back from.
    """

    target: Target
    goal: Goal
    former: Services
    order_path: OrderPath
    hands: Hands
    whatever: bool = False
    taken: list[Taken] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)
    _at_once: bool = False

    def through(self) -> None:
        """Take one step after the other until nothing is left.

        Of what was changed all at once, who calls looks at the health.

        Raises:
            DeployFailed: a service does not do its work, or a site cannot take over.
        """
        while True:
            running = self.target.observe()
            plan = difference(self.goal.environment.name, self.goal.services, running)
            if plan.empty:
                return
            steps = rollout(self._now(), plan.changes, running, self._led())
            self._take(steps[0], plan, running)
            if steps[0].kind == "everything":
                return

    def _now(self) -> Goal:
        asked = self.goal
        if not self._at_once:
            return asked
        return Goal(asked.environment, asked.services, asked.former, at_once=True)

    def _led(self) -> Led | None:
        """Return who leads; after a first step what it has disturbed may calm down first."""
        environment = self.goal.environment
        until = time.monotonic() + (CALM_S if self.taken else 0.0)
        while True:
            led = self.order_path.leads(environment, self.target)
            if (led is not None and not led.fault) or time.monotonic() >= until:
                return led
            if len(environment.trading_sites) < 2 or self._at_once:
                return led
            self.hands.check("waiting for a site to lead")
            time.sleep(AGAIN_S)  # to look takes a connection each time

    def _take(self, step: Step, plan: Plan, running: tuple[Running, ...]) -> None:
        self.hands.check(_reached(self.taken))
        if len(self.goal.environment.trading_sites) > 1:
            self.hands.say(sentence(step))
        began = time.monotonic()
        if step.kind == "handover":
            took_ms = self._hand_over(step.site)
            if took_ms is None:
                return
        else:
            took_ms = None
            self._change(step, plan, running)
        self.taken.append(
            Taken(
                **step.model_dump(),
                duration_s=round(time.monotonic() - began, 3),
                handover_ms=None if took_ms is None else round(took_ms, 1),
            )
        )

    def _change(self, step: Step, plan: Plan, running: tuple[Running, ...]) -> None:
        again = self._done & set(step.services)
        if again:
            raise DeployFailed(
                f"{', '.join(sorted(again))} did not stay as deployed",
                hint=f"opsctl logs {plan.environment} {min(again).partition('@')[0]}",
            )
        if step.kind == "journal":
            self._others_vote(step.services[0])
        self._done |= set(step.services)
        here = tuple(c for c in plan.changes if c.name in step.services)
        wanted = self.goal.services
        known = wanted
        if step.kind not in ("everything", "unwanted"):
            known = (*wanted, *self._still_there(running))
        self.hands.apply(Plan(environment=plan.environment, changes=here), known)
        if step.kind != "everything":
            self.hands.healthy(tuple(s for s in wanted if s.key in step.services))

    def _still_there(self, running: tuple[Running, ...]) -> Iterator[Service]:
        """Yield what nothing asks for any more and still runs: its turn to stop is the last."""
        wanted = {service.key for service in self.goal.services}
        runs = {seen.key for seen in running}
        yield from (s for s in self.former if s.key in runs - wanted)

    def _others_vote(self, member: str) -> None:
        """Wait until every other member of the journal answers, so that the quorum is kept."""
        name = member.partition("@")[0]
        others = tuple(s for s in self.goal.services if s.name == name and s.key != member)
        self.hands.healthy(others)

    def _hand_over(self, to: str) -> float | None:
        """Hand the order path to a site; return the milliseconds, None to go on all at once.

        Raises:
            DeployFailed: the site cannot take over, in time.
        """
        environment = self.goal.environment
        until = time.monotonic() + ABLE_S
        asked = 0
        while True:
            why = self.order_path.against(environment, self.target, to)
            if not why:
                asked += 1
                moved = self.order_path.hand_over(environment, self.target, to, self.hands.say)
                if isinstance(moved, float):
                    return moved
                why = moved
            led = self.order_path.leads(environment, self.target)
            if led is not None and led.site == to:  # it took over by itself meanwhile
                return 0.0
            if asked == ASKED or time.monotonic() >= until:
                break
            self.hands.check(f"waiting until {to} can take over: {why}")
            time.sleep(AGAIN_S)  # each look waits for what the sites write next
        if not self.whatever:
            raise DeployFailed(
                f"{to} is changed, and cannot take over from the other site: {why}",
                hint=f"cure that, and deploy again; `--at-once` restarts both sites of "
                f"{environment.name} together, and trading stops until one leads",
            )
        self.hands.say(f"{to} cannot take over ({why}): the rest is changed at once")
        self._at_once = True
        return None


def sentence(step: Step) -> str:
    """Say what a step does, for a reader."""
    place = {
        "everything": "all at once",
        "missing": "what is missing",
        "shared": "outside of the sites",
        "journal": f"the journal's member of {step.site}",
        "site": f"site {step.site}",
        "handover": f"handover to {step.site}",
        "unwanted": "what is left over",
    }[step.kind]
    what = f" {', '.join(step.services)};" if step.services else ""
    return f"step: {place}:{what} {step.reason}"


def _reached(taken: list[Taken]) -> str:
    return f"{len(taken)} steps are done"
