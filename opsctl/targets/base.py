"""The protocol of a target: observe, plan, apply.

A target never names a service: it runs whatever the catalogue made. A plan is a value
that can be printed, stored, compared, tested and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from opsctl.model.value import Value
from opsctl.services.base import Host, Service
from opsctl.targets.beneath import Beneath
from opsctl.targets.rotation import Rotation


class Blow(StrEnum):
    """What a drill does to processes."""

    KILL = "kill"
    FREEZE = "freeze"
    THAW = "thaw"
    FILL = "fill"
    FREE = "free"
    FILL_MEMORY = "fill-memory"
    STEP = "step"


class Action(StrEnum):
    """What a plan does to one service."""

    START = "start"
    RESTART = "restart"
    STOP = "stop"


class Change(Value):
    """One line of a plan: what is done to what, and why."""

    action: Action
    kind: Literal["server", "app"]
    name: str
    """The service's key: `name@site`."""
    reason: str


class Plan(Value):
    """The difference between what should run and what runs."""

    environment: str
    changes: tuple[Change, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing would be done."""
        return not self.changes


class Running(Value):
    """What a target sees of one service."""

    name: str
    site: str
    state: Literal["running", "starting", "stopped", "failed"]
    made_from: str
    """The digest of the `Service` value it was started from; empty where none is known."""
    pid: int | None = None
    started_at: datetime | None = None
    rss_bytes: int | None = None
    detail: str = ""

    @property
    def key(self) -> str:
        """Return `name@site`."""
        return f"{self.name}@{self.site}"


class Event(Value):
    """Progress of an apply: one service reached a stage."""

    at: datetime
    service: str
    stage: Literal["preparing", "starting", "ready", "stopping", "stopped", "failed"]
    detail: str = ""
    duration_s: float | None = None


class LogLine(Value):
    """One line of a service's log."""

    service: str
    at: datetime | None
    text: str


class Target(Protocol):
    """What runs the services of one environment."""

    @property
    def host(self) -> Host:
        """Where the services' programs, folders, ports and secrets are."""
        ...

    @property
    def rotation(self) -> Rotation:
        """The environment's certificate authority, to be changed for another."""
        ...

    def services(self) -> tuple[Service, ...]:
        """Return what should run, made by the catalogue for this target's hosts.

        Who only looks at it, or asks it, needs no more: `deployable` is what can be applied.
        """
        ...

    def deployable(self) -> tuple[Service, ...]:
        """Return the same, complete; raise `UsageError` for what was not made yet: an image."""
        ...

    def reached(self, services: Sequence[Service]) -> tuple[Service, ...]:
        """Return services, as written down once, with how this process reaches their probes."""
        ...

    def observe(self) -> tuple[Running, ...]:
        """Return what runs, seen from outside; changes nothing."""
        ...

    def preflight(self, services: Sequence[Service]) -> None:
        """Raise an `OpsctlError` for what would fail: a port in use, a full disk, a program.

        `Contended` where another took what was chosen; a new target of it chooses again.
        """
        ...

    def apply(self, plan: Plan, services: Sequence[Service]) -> Iterator[Event]:
        """Carry out a plan, yielding progress; raise `DeployFailed` when a service fails."""
        ...

    def destroy(self, *, keep_data: bool) -> Iterator[Event]:
        """Stop everything and remove it; data stays where `keep_data` says so."""
        ...

    def aim(self, services: Sequence[str], blow: Blow) -> Callable[[], None]:
        """Return what does to the processes of services, all at once, what a drill asks for.

        `kill` ends them as a crash does (what supervises them starts them again), `freeze`
        stops them where they are, `thaw` lets them go on; `fill` makes whatever they write to
        files fail, as on a full disk, `fill-memory` the same of their folders in memory, `free`
        ends both; who does not run is left out. Whom it goes to is looked up now, so that the
        blow itself takes no time; it is struck once.
        """
        ...

    def lacks(self, services: Sequence[str], blow: Blow) -> str:
        """Return what this target lacks to do it to services; empty where it can."""
        ...

    def beneath(self) -> Beneath:
        """Return what services stand on, to be broken by drills."""
        ...

    def set_clock(self, services: Sequence[str], shift_s: float) -> None:
        """Start services anew under a wall clock that is so many seconds off; 0: the true one."""
        ...

    def keep_down(self, services: Sequence[str]) -> None:
        """End services as a crash does, and keep them from being started again."""
        ...

    def bring_up(self, services: Sequence[str]) -> None:
        """Start services that were kept down; those that run are left alone."""
        ...

    def file(self, service: str, path: str) -> Path:
        """Return where a file of a service's data, named as the service names it, is read here."""
        ...

    def logs(
        self,
        services: Sequence[str],
        *,
        follow: bool,
        since: datetime | None,
    ) -> Iterator[LogLine]:
        """Return the log lines of the named services (all where none is named), in order."""
        ...

    def tail(self, service: str, lines: int) -> tuple[str, ...]:
        """Return the last lines of one service's log."""
        ...


def difference(environment: str, services: Sequence[Service], running: Sequence[Running]) -> Plan:
    """Return the plan that takes what runs to what should run.

    A service that fails or stopped is started, one whose digest differs is restarted,
    one that nothing asks for is stopped; stops come first.
    """
    seen = {r.key: r for r in running}
    wanted = {s.key: s for s in services}
    changes: list[Change] = []
    for key, now in seen.items():
        if key not in wanted and now.state != "stopped":
            changes.append(
                Change(action=Action.STOP, kind="server", name=key, reason="no longer wanted")
            )
    for key, service in wanted.items():
        found = seen.get(key)
        if found is None:
            changes.append(_change(Action.START, service, "not running yet"))
        elif found.state in ("stopped", "failed"):
            changes.append(_change(Action.START, service, found.detail or found.state))
        elif found.made_from != service.digest():
            changes.append(_change(Action.RESTART, service, "its settings changed"))
    return Plan(environment=environment, changes=tuple(changes))


def _change(action: Action, service: Service, reason: str) -> Change:
    return Change(action=action, kind=service.kind, name=service.key, reason=reason)
