"""Starts and stops the processes of services, by supervisord."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from opsctl.errors import DeployFailed, OpsctlError
from opsctl.services.base import Service
from opsctl.targets.applying import event
from opsctl.targets.base import Event
from opsctl.targets.local.preparation import Preparation
from opsctl.targets.local.processes import POLL_S, Process, ended, process
from opsctl.targets.local.supervisor import Program, Supervisor
from opsctl.targets.secrets import Secrets

STRAYS_WITHIN_S = 10.0
STOP_GRACE_S = 5
"""Beyond a service's own time, after which supervisord has killed it."""


def end_strays(strays: Sequence[Process], number: signal.Signals = signal.SIGTERM) -> None:
    """End processes that supervisord does not hold: told first, then killed."""
    for stray in strays:
        stray.end(number)
    for stubborn in ended(strays, STRAYS_WITHIN_S):
        stubborn.end(signal.SIGKILL)
    left = ended(strays, STRAYS_WITHIN_S)
    if left:
        raise OpsctlError(
            f"processes {', '.join(str(p.pid) for p in left)} of the environment do not end",
            hint="they wait in the kernel (a dead disk?); see `cat /proc/PID/stack` as root",
        )


@dataclass(frozen=True)
class Processes:
    """A `Runner` of processes."""

    supervisor: Supervisor
    preparation: Preparation
    secrets: Secrets
    services: Mapping[str, Service]
    strays: Callable[[str], tuple[Process, ...]]
    """The processes of a service that supervisord does not hold."""
    last_lines: Callable[[str], tuple[str, ...]]
    """Of a service's log."""
    _started: dict[str, Process | None] = field(default_factory=dict)

    def running(self, key: str) -> bool:
        """Return whether supervisord runs it."""
        found = self.supervisor.program(key)
        return found is not None and found.runs

    def stop(self, key: str) -> None:
        """Stop and unload a service."""
        found = self.supervisor.program(key)
        if found is not None:
            halted(self.supervisor, found, self._stop_within_s(key))
            self.supervisor.unload(key)

    def prepare(self, service: Service, cancelled: Callable[[], bool]) -> Iterator[str]:
        """End what is left of it, write its files, do its steps."""
        end_strays(self.strays(service.key))
        self.preparation.clear_runtime(service)
        self.preparation.write_files(service)
        for step in self.preparation.run_steps(service, cancelled):
            yield step.name

    def start(self, service: Service) -> None:
        """Have supervisord run it."""
        self.supervisor.load(service.key)
        self.supervisor.run(self._loaded(service.key))
        self._started[service.key] = process(self._loaded(service.key).pid)

    def ended(self, service: Service) -> str:
        """Return how it ended, once supervisord has noticed.

        One that was not started here runs already: an apply before this one may have done it.
        """
        key = service.key
        if key not in self._started:
            self._started[key] = process(self._loaded(key).pid)
        running = self._started[key]
        return "" if running is not None and running.alive else self._ending(key)

    def secret(self, name: str) -> str:
        """Return a secret."""
        return self.secrets.read(name)

    def tail(self, service: Service) -> list[str]:
        """Return the end of its log."""
        return [self.secrets.hidden(line, service.secrets) for line in self.last_lines(service.key)]

    def _loaded(self, key: str) -> Program:
        found = self.supervisor.program(key)
        if found is None:
            raise DeployFailed(f"{key} is not known to supervisord", hint="deploy again")
        return found

    def _ending(self, key: str) -> str:
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            found = self._loaded(key)
            if found.spawn_error:
                return f"ended at its start: {found.spawn_error}"
            if found.stopped_at_s >= found.started_at_s:
                return f"ended at its start with status {found.exit_status}"
            time.sleep(POLL_S)
        return "ended at its start"

    def _stop_within_s(self, key: str) -> float:
        service = self.services.get(key)
        return (service.stop_within_s if service else 30) + STOP_GRACE_S


def halted(supervisor: Supervisor, found: Program, within_s: float) -> None:
    """Stop a program and wait until it has; raise where supervisord cannot end it."""
    if found.runs:
        supervisor.halt(found)
    deadline = time.monotonic() + within_s
    now: Program | None = found
    while now is not None and (now := supervisor.program(found.key)) is not None and now.runs:
        if time.monotonic() > deadline:
            raise OpsctlError(
                f"{found.key} (pid {now.pid}) does not end",
                hint=f"end it with `kill -9 {now.pid}` and run the command again",
            )
        time.sleep(POLL_S)


def stop_together(
    supervisor: Supervisor, group: Sequence[Program], within_s: Mapping[str, float]
) -> Iterator[Event]:
    """Stop programs at once, yielding what becomes of each."""
    for program in group:
        yield event(program.key, "stopping")
        supervisor.halt(program)
    for program in group:
        halted(supervisor, program, within_s.get(program.key, 30.0) + STOP_GRACE_S)
        yield event(program.key, "stopped")
