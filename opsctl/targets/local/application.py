"""Carries out a plan: every service as soon as what it waits for is ready.

One thread a service; all effects can be repeated, so that an opsctl that is killed at any
instant leaves a state which the next apply continues from.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from opsctl.errors import DeployFailed, OpsctlError
from opsctl.health.probes import probe
from opsctl.services.base import Service
from opsctl.targets.base import Event
from opsctl.targets.local import order
from opsctl.targets.local.preparation import Cancelled, Preparation
from opsctl.targets.local.processes import POLL_S, Process, ended, process
from opsctl.targets.local.secrets import Secrets
from opsctl.targets.local.supervisor import Program, Supervisor

Stage = Literal["preparing", "starting", "ready", "stopping", "stopped", "failed"]

PROBE_EVERY_S = 0.05
STRAYS_WITHIN_S = 10.0
STOP_GRACE_S = 5
"""Beyond a service's own time, after which supervisord has killed it."""


@dataclass(frozen=True)
class Means:
    """What an apply acts with."""

    supervisor: Supervisor
    preparation: Preparation
    secrets: Secrets
    strays: Callable[[str], tuple[Process, ...]]
    """The processes of a service that supervisord does not hold."""
    tail: Callable[[str], tuple[str, ...]]
    """The last lines of a service's log."""


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


class Application:
    """One apply: starts services, in threads that report to one queue."""

    def __init__(self, means: Means, services: Mapping[str, Service]) -> None:
        """Keep the means; start nothing."""
        self._means, self._services = means, services
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._given_up = threading.Event()

    def stop(self, keys: Sequence[str]) -> Iterator[Event]:
        """Stop and unload services that nothing asks for."""
        for key in keys:
            yield _event(key, "stopping")
            self._stopped(key)
            yield _event(key, "stopped")

    def start(self, keys: Sequence[str]) -> Iterator[Event]:
        """Bring services up, yielding their progress; raise the first failure after all ended.

        What they wait for and is not among them runs already, and is only waited for.
        """
        todo = order.with_waits(keys, self._services)
        done: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max_workers=max(1, len(todo)), thread_name_prefix="apply") as pool:
            try:
                for key in todo:  # in order: what a service waits for is submitted before it
                    service = self._services[key]
                    waits = [done[name] for name in order.waits(service)]
                    act = self._bring_up if key in keys else self._await_ready
                    done[key] = pool.submit(self._when, waits, act, service)
                yield from self._reported(tuple(done.values()))
            finally:
                self._given_up.set()
        failures = [f for f in (future.exception() for future in done.values()) if f is not None]
        real = [f for f in failures if not isinstance(f, Cancelled)]
        if real:
            raise real[0]

    def _reported(self, futures: Sequence[Future[None]]) -> Iterator[Event]:
        while not all(future.done() for future in futures):
            try:
                yield self._events.get(timeout=POLL_S)
            except queue.Empty:
                continue
        while not self._events.empty():
            yield self._events.get()

    def _when(
        self, waits: Sequence[Future[None]], act: Callable[[Service], None], service: Service
    ) -> None:
        """Act once what the service waits for is ready; give everything up on a failure."""
        try:
            for wait in waits:
                if wait.exception() is not None:
                    raise Cancelled
            self._check()
            act(service)
        except Cancelled:
            raise
        except BaseException as fault:
            self._given_up.set()
            self._say(service.key, "failed", str(fault))
            raise

    def _check(self) -> None:
        if self._given_up.is_set():
            raise Cancelled

    def _say(
        self, key: str, stage: Stage, detail: str = "", duration_s: float | None = None
    ) -> None:
        self._events.put(_event(key, stage, detail, duration_s))

    def _bring_up(self, service: Service) -> None:
        began = time.monotonic()
        key = service.key
        if self._stopped(key, telling=True):
            self._say(key, "stopped")
        self._check()
        end_strays(self._means.strays(key))
        self._means.preparation.clear_runtime(service)
        self._means.preparation.write_files(service)
        for step in self._means.preparation.run_steps(service, self._given_up.is_set):
            self._say(key, "preparing", step.name)
        self._check()
        self._say(key, "starting")
        self._means.supervisor.load(key)
        loaded = self._loaded(key)
        self._means.supervisor.run(loaded)
        running = process(self._loaded(key).pid)
        self._until_ready(service, running)
        self._say(key, "ready", duration_s=round(time.monotonic() - began, 3))

    def _await_ready(self, service: Service) -> None:
        """Wait for a service that runs already: an apply before this one may have started it."""
        self._until_ready(service, process(self._loaded(service.key).pid))

    def _loaded(self, key: str) -> Program:
        found = self._means.supervisor.program(key)
        if found is None:
            raise DeployFailed(f"{key} is not known to supervisord", hint="deploy again")
        return found

    def _until_ready(self, service: Service, running: Process | None) -> None:
        """Poll the probe until it passes; a process that ends meanwhile fails at once."""
        deadline = time.monotonic() + service.ready_within_s
        while True:
            if running is None or not running.alive:
                self._fail(service, self._ending(service.key))
            found = probe(service.probe, self._means.secrets.read)
            if found.ok:
                return
            if time.monotonic() > deadline:
                self._fail(
                    service, f"was not ready within {service.ready_within_s} s: {found.detail}"
                )
            self._check()
            time.sleep(PROBE_EVERY_S)

    def _ending(self, key: str) -> str:
        """Return how a process ended, once supervisord has noticed."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            found = self._loaded(key)
            if found.spawn_error:
                return f"ended at its start: {found.spawn_error}"
            if found.stopped_at_s >= found.started_at_s:
                return f"ended at its start with status {found.exit_status}"
            time.sleep(POLL_S)
        return "ended at its start"

    def _fail(self, service: Service, why: str) -> None:
        lines = self._means.tail(service.key)
        self._stopped(service.key)
        raise DeployFailed(
            f"{service.key} {why}",
            hint=f"its log has more: opsctl logs ENV {service.key}",
            details=[self._means.secrets.hidden(line, service.secrets) for line in lines],
        )

    def _stopped(self, key: str, *, telling: bool = False) -> bool:
        """Stop and unload a service; return whether it ran."""
        found = self._means.supervisor.program(key)
        if found is None:
            return False
        ran = found.runs
        if ran and telling:
            self._say(key, "stopping")
        halted(self._means.supervisor, found, self._stop_within_s(key))
        self._means.supervisor.unload(key)
        return ran

    def _stop_within_s(self, key: str) -> float:
        service = self._services.get(key)
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
        yield _event(program.key, "stopping")
        supervisor.halt(program)
    for program in group:
        halted(supervisor, program, within_s.get(program.key, 30.0) + STOP_GRACE_S)
        yield _event(program.key, "stopped")


def _event(key: str, stage: Stage, detail: str = "", duration_s: float | None = None) -> Event:
    return Event(
        at=datetime.now(UTC), service=key, stage=stage, detail=detail, duration_s=duration_s
    )
