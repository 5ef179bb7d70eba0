"""Carries out a plan: every service as soon as what it waits for is ready.

One thread a service; all effects can be repeated, so that an opsctl that is killed at any
instant leaves a state which the next apply continues from. How a service is started and
stopped is its target's `Runner`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Literal, Protocol

from opsctl.errors import DeployFailed
from opsctl.health.probes import probe
from opsctl.services.base import Service
from opsctl.targets import order
from opsctl.targets.base import Event

Stage = Literal["preparing", "starting", "ready", "stopping", "stopped", "failed"]

POLL_S = 0.05
PROBE_EVERY_S = 0.05


class Cancelled(Exception):
    """The apply was given up."""


class Runner(Protocol):
    """Starts and stops services, each by itself; called from several threads."""

    def running(self, key: str) -> bool:
        """Return whether a service runs, or is starting."""
        ...

    def stop(self, key: str) -> None:
        """Stop a service that may run, and let go of it; return once it has ended."""
        ...

    def prepare(self, service: Service, cancelled: Callable[[], bool]) -> Iterator[str]:
        """Make ready what a service needs; yield the name of each one-time step before it.

        Raises `Cancelled` where the apply was given up meanwhile.
        """
        ...

    def start(self, service: Service) -> None:
        """Start a service that does not run."""
        ...

    def ended(self, service: Service) -> str:
        """Return how a service has ended since it was started; empty while it runs."""
        ...

    def secret(self, name: str) -> str:
        """Return a secret."""
        ...

    def tail(self, service: Service) -> Sequence[str]:
        """Return the last lines of a service's log, without secrets."""
        ...


class Application:
    """One apply: starts services, in threads that report to one queue."""

    def __init__(self, runner: Runner, services: Mapping[str, Service]) -> None:
        """Keep what acts; start nothing."""
        self._runner, self._services = runner, services
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._given_up = threading.Event()

    def stop(self, keys: Sequence[str]) -> Iterator[Event]:
        """Stop services that nothing asks for."""
        for key in keys:
            yield event(key, "stopping")
            self._runner.stop(key)
            yield event(key, "stopped")

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
                    act = self._bring_up if key in keys else self._until_ready
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
        self._events.put(event(key, stage, detail, duration_s))

    def _bring_up(self, service: Service) -> None:
        began = time.monotonic()
        key, runner = service.key, self._runner
        ran = runner.running(key)
        if ran:
            self._say(key, "stopping")
        runner.stop(key)
        if ran:
            self._say(key, "stopped")
        self._check()
        for step in runner.prepare(service, self._given_up.is_set):
            self._say(key, "preparing", step)
        self._check()
        self._say(key, "starting")
        runner.start(service)
        self._until_ready(service)
        self._say(key, "ready", duration_s=round(time.monotonic() - began, 3))

    def _until_ready(self, service: Service) -> None:
        """Poll the probe until it passes; a service that ends meanwhile fails at once."""
        deadline = time.monotonic() + service.ready_within_s
        while True:
            if how := self._runner.ended(service):
                self._fail(service, how)
            found = probe(service.probe, self._runner.secret)
            if found.ok:
                return
            if time.monotonic() > deadline:
                self._fail(
                    service, f"was not ready within {service.ready_within_s} s: {found.detail}"
                )
            self._check()
            time.sleep(PROBE_EVERY_S)

    def _fail(self, service: Service, why: str) -> None:
        lines = self._runner.tail(service)
        self._runner.stop(service.key)
        raise DeployFailed(
            f"{service.key} {why}",
            hint=f"its log has more: opsctl logs ENV {service.key}",
            details=lines,
        )


def event(key: str, stage: Stage, detail: str = "", duration_s: float | None = None) -> Event:
    """Return that a service reached a stage, now."""
    return Event(
        at=datetime.now(UTC), service=key, stage=stage, detail=detail, duration_s=duration_s
    )
