"""The stop condition of a drill: what ends it at once, so that it is rolled back.

A thread of its own looks; what it finds interrupts the drill wherever it waits, as Ctrl-C
would, and the drill goes on with its rollback.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Self

from apps.core.etcd import EtcdError
from apps.core.journal import Gap
from opsctl.deploy.health import secrets_of
from opsctl.drills import guards
from opsctl.drills.accounts import Accounts
from opsctl.drills.reconciliation import journaled
from opsctl.drills.stop import Stop
from opsctl.drills.timeline import Timeline
from opsctl.drills.traffic import Traffic
from opsctl.health.queries import Prometheus, PrometheusUnreadable
from opsctl.health.report import MONITORING
from opsctl.images.engine import EngineRefused
from opsctl.services.base import HttpProbe

LOOK_S = 0.5
READ_S = 5.0
"""How often the journal and Prometheus are asked: each look takes time from those who trade."""
BY = signal.SIGUSR1

Reason = Callable[[], str]
"""Says why the drill must stop; nothing where it need not."""


class Stopped(KeyboardInterrupt):
    """The drill must stop: the message says why.

    Like Ctrl-C, so that an event loop that is interrupted hands it on.
    """


class Watch:
    """Looks for reasons to stop while a `with` lasts; raises `Stopped` in the main thread."""

    def __init__(self, reasons: Sequence[Reason], *, every_s: float = LOOK_S) -> None:
        """Look every so many seconds."""
        self._reasons = reasons
        self._every_s = every_s
        self._over = threading.Event()
        self._why = ""
        self._thread = threading.Thread(target=self._look, name="stop-condition", daemon=True)
        self._before: Any = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._before = signal.signal(BY, self._interrupt)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()
        signal.signal(BY, self._before)

    def _look(self) -> None:
        main = threading.main_thread().ident
        while not self._over.wait(self._every_s):
            self._why = self._why or self._reason()
            if self._why and main is not None and not self._over.is_set():
                signal.pthread_kill(main, BY)  # again, should something have swallowed it

    def _reason(self) -> str:
        try:
            return next(filter(None, (reason() for reason in self._reasons)), "")
        except Exception as fault:  # noqa: BLE001 - a guard that cannot look must not look away
            return f"the stop condition could not be looked at: {type(fault).__name__}: {fault}"

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._over.is_set():
            self._over.set()
            raise Stopped(self._why)


def reasons(
    stop: Stop, client: Traffic, accounts: Accounts, after: int, told: Timeline
) -> list[Reason]:
    """Return what may stop a drill; `after` is the journal's record before it."""
    found: list[Reason] = [
        client.fault,
        lambda: guards.short_of_room(client.folder, guards.LEFT_BYTES),
    ]
    if stop.gap_s is not None:
        found.append(Gaps(stop.gap_s, client, told))
    if stop.lost is not None:
        found.append(Losses(stop.lost, client, accounts, after, told))
    if stop.query:
        found.append(Harm(stop.query, stop.for_s, accounts))
    return found


def unusable(stop: Stop, accounts: Accounts) -> str:
    """Return why a stop condition cannot be looked at, and what to do; empty where it can."""
    if not stop.query:
        return ""
    try:
        Harm(stop.query, stop.for_s, accounts).ask()
    except PrometheusUnreadable as fault:
        return f"the stop condition's query cannot be asked: {fault.message}: {fault.hint}"
    return ""


class Gaps:
    """Acknowledgements that stay away."""

    def __init__(self, gap_s: float, client: Traffic, told: Timeline) -> None:
        """Count from the fault."""
        self._gap_s, self._client, self._told = gap_s, client, told

    def __call__(self) -> str:
        """Return how long none came, where that is too long."""
        if not self._told.fault_ns:
            return ""
        lines = self._client.lines()
        last_ns = max(self._told.fault_ns, lines[-1].at_ns if lines else 0)
        passed_s = (time.time_ns() - last_ns) / 1e9
        return f"no order was acknowledged for {passed_s:.1f} s" if passed_s > self._gap_s else ""


class Losses:
    """Orders that the client was told of and the journal does not hold."""

    def __init__(
        self, bound: int, client: Traffic, accounts: Accounts, after: int, told: Timeline
    ) -> None:
        """Read the journal from a record on, each time what is new."""
        self._bound, self._client, self._accounts = bound, client, accounts
        self._after, self._told = after, told
        self._known = set[str]()
        self._next = 0.0

    def __call__(self) -> str:
        """Return how many are missing, where that are too many."""
        fault_ns = self._told.fault_ns
        if not fault_ns or time.time_ns() - fault_ns < READ_S * 1e9:
            return ""  # not while the takeover is measured
        if time.monotonic() < self._next:
            return ""
        self._next = time.monotonic() + READ_S
        told = self._client.orders()
        try:
            records = self._accounts.records(self._after)
        except (EtcdError, Gap, OSError, EngineRefused):
            return ""  # a fault of the drill may be that neither journal nor engine answers
        self._after += len(records)
        found = journaled(records)
        self._known |= found.accepted | found.refused
        lost = sorted(told - self._known)
        if len(lost) <= self._bound:
            return ""
        return f"{len(lost)} acknowledged orders are not in the journal, the first is {lost[0]}"


class Harm:
    """A query of Prometheus that tells of harm for too long."""

    def __init__(self, query: str, for_s: float, accounts: Accounts) -> None:
        """Ask every Prometheus of the environment that answers."""
        self._query, self._for_s = query, for_s
        self._probes = [
            s.probe
            for s in accounts.target.services()
            if s.name == MONITORING and isinstance(s.probe, HttpProbe)
        ]
        self._secret = secrets_of(accounts.target)
        self._since: float | None = None
        self._next = 0.0

    def __call__(self) -> str:
        """Return what the query tells, once it has told it long enough."""
        if time.monotonic() < self._next:
            return ""
        self._next = time.monotonic() + min(READ_S, max(LOOK_S, self._for_s / 2))
        said = self._told()
        if not said:
            self._since = None
            return ""
        self._since = self._since or time.monotonic()
        return said if time.monotonic() - self._since >= self._for_s else ""

    def _told(self) -> str:
        try:
            return self.ask()
        except PrometheusUnreadable:
            return ""  # one that is lost to the drill says nothing

    def ask(self) -> str:
        """Return what the query tells now; raises `PrometheusUnreadable`."""
        for probe in self._probes:
            with Prometheus(probe.at, self._secret(probe.secret)) as asked:
                for labels, value in asked.ask(self._query):
                    if value:
                        of = ", ".join(f"{k}={v}" for k, v in labels.items())
                        return f"{self._query} is {value}{of and f' of {of}'}"
        return ""
