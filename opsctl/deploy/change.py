"""Carrying a change out: apply, health, and the way back where one of them fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from opsctl.deploy import records
from opsctl.deploy.health import await_health
from opsctl.deploy.interrupt import Interruption
from opsctl.deploy.means import Means
from opsctl.deploy.outcome import Taken
from opsctl.deploy.progress import Progress
from opsctl.deploy.records import Deployment
from opsctl.deploy.rolling import Hands, Rolling
from opsctl.deploy.rollout import Goal
from opsctl.errors import DeployFailed, Interrupted, OpsctlError
from opsctl.health.verify import Verification
from opsctl.model.environment import Environment
from opsctl.services.base import Service
from opsctl.targets.base import Event, Plan, Target

_logger = logging.getLogger(__name__)

Services = tuple[Service, ...]
_NONE: Services = ()


@dataclass(frozen=True)
class Wanted:
    """What a change takes an environment to, and the deployment that ran before it."""

    command: Literal["deploy", "rollback", "env rotate"]
    environment: Environment
    target: Target
    services: Services
    former: Deployment | None
    restores: Deployment | None = None
    at_once: bool = False
    """Whether it may stop trading, where it could be rolled from site to site."""

    @property
    def goal(self) -> Goal:
        """Return what it leads to."""
        before = self.former.environment if self.former else None
        return Goal(self.environment, self.services, before, at_once=self.at_once)

    @property
    def same(self) -> bool:
        """Whether it is what was applied already."""
        return self.former is not None and (self.former.environment, self.former.services) == (
            self.environment,
            self.services,
        )

    @property
    def before(self) -> str | None:
        """The run that a rollback of this change goes back to."""
        if self.restores is not None:
            return self.restores.before
        if self.former is None:
            return None
        return self.former.before if self.same else self.former.run


@dataclass(frozen=True)
class Change:
    """A change under way: tells its progress, and stops at the next safe point when asked."""

    means: Means
    progress: Progress
    interruption: Interruption
    held: Callable[[], None] = lambda: None
    """Raises where the environment's lock was lost, and another has it or had it."""

    def reach(
        self, wanted: Wanted, plan: Plan, heard: Callable[[Event], None] = lambda _: None
    ) -> tuple[Taken, ...]:
        """Make the changes of a plan, from site to site where two of them trade.

        Every service does its work then. `heard` gets the events; returns the steps.

        Raises:
            DeployFailed: a service does not, or a site cannot take over.
        """
        count = _Count(len(plan.changes))
        for change in plan.changes:
            _logger.info("plan: %s %s (%s)", change.action, change.name, change.reason)
        former = wanted.former.services if wanted.former else _NONE
        rolling = self._rolling(wanted.target, wanted.goal, former, count, heard)
        rolling.through()
        began = time.monotonic()
        self.await_health(wanted.target, wanted.services)
        self.progress.stage("health", since(began))
        return tuple(rolling.taken)

    def await_health(self, target: Target, services: Services) -> None:
        """Wait until every one of the services does its work; `DeployFailed` else."""
        await_health(target, services, self.means.probe_all, self.interruption)

    def restore(self, wanted: Wanted, fault: OpsctlError | OSError) -> DeployFailed:
        """Go back to what ran before a change that failed; return the error that says both.

        On a first deploy what was started is stopped, its logs stay. Where the very same
        deployment ran before there is nothing to go back to, and what runs goes on.
        """
        self.held()
        name = wanted.environment.name
        first = fault if isinstance(fault, OpsctlError) else OpsctlError(str(fault))
        what, hint, details = first.message, first.hint, first.details
        former = wanted.former
        if wanted.same:
            records.end(name)
            now = "the same deployment ran before, so there is none to go back to"
            return DeployFailed(f"{what}; {now}", hint=hint, details=details)
        _logger.warning("failed: %s", "\n".join([what, *details]))
        self.progress.say(f"failed: {what}")
        self.progress.say(f"going back to run {former.run}" if former else "stopping what started")
        try:
            self._go_back(wanted)
        except Interrupted:
            raise
        except (OpsctlError, OSError) as second:
            return DeployFailed(
                f"{what}; and what ran before could not be brought back: {second}",
                hint=f"cure the cause, then: opsctl deploy {name}",
                details=details,
            )
        records.end(name)
        now = f"run {former.run} runs again" if former else "what was started is stopped again"
        return DeployFailed(f"{what}; {now}", hint=hint, details=details)

    def remove(self, target: Target, *, keep_data: bool) -> tuple[str, ...]:
        """Stop and remove everything; return the services that were stopped."""
        count = _Count(len(target.observe()))
        self._follow(target.destroy(keep_data=keep_data), count)
        return tuple(count.stopped)

    def verify(self, wanted: Wanted) -> Verification:
        """Measure what the tier promises."""
        self.progress.say("measuring what the tier promises, by probes through the whole chain")
        began = time.monotonic()
        found = self.means.verify(wanted.environment, wanted.target)
        self.progress.stage("verify", since(began))
        return found

    def _go_back(self, wanted: Wanted) -> None:
        """Bring back what ran before, in the same way; what is sick keeps nothing from that."""
        target, goal = wanted.target, Goal(wanted.environment, _NONE, wanted.environment)
        if wanted.former:
            before = wanted.former.environment
            target = self.means.open_target(before)
            goal = Goal(before, wanted.former.services, wanted.environment)
        count = _Count(len(target.observe()))
        rolling = self._rolling(target, goal, wanted.services, count, whatever=True)
        rolling.through()

    def _rolling(
        self,
        target: Target,
        goal: Goal,
        former: Services,
        count: _Count,
        heard: Callable[[Event], None] = lambda _: None,
        *,
        whatever: bool = False,
    ) -> Rolling:
        hands = Hands(
            apply=lambda plan, known: self._follow(target.apply(plan, known), count, heard),
            healthy=lambda services: None if whatever else self.await_health(target, services),
            check=self.interruption.check,
            say=self.progress.say,
        )
        return Rolling(target, goal, former, self.means.order_path, hands, whatever=whatever)

    def _follow(
        self,
        events: Iterator[Event],
        count: _Count,
        heard: Callable[[Event], None] = lambda _: None,
    ) -> None:
        """Carry out a target's steps; between two of them is a safe point."""
        try:
            for event in events:
                _logger.info("%s %s %s", event.stage, event.service, event.detail)
                self.progress.event(event)
                count.add(event)
                heard(event)
                self.interruption.check(str(count))
                self.held()
        finally:
            close: Callable[[], None] | None = getattr(events, "close", None)
            if close is not None:  # a generator left half-way ends its own work now, not later
                close()


@dataclass
class _Count:
    """How far a target came."""

    of: int
    ready: int = 0
    stopped: list[str] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Count an event."""
        if event.stage == "ready":
            self.ready += 1
        elif event.stage == "stopped":
            self.stopped.append(event.service)

    def __str__(self) -> str:
        """Say it."""
        return f"{self.ready} services are ready, {len(self.stopped)} stopped, of {self.of}"


def since(began: float) -> float:
    """Return the seconds since a moment of the monotonic clock."""
    return round(time.monotonic() - began, 3)
