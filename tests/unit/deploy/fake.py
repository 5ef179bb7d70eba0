"""A target without processes; `tests/integration/deploy/test_target_cases.py` keeps it honest."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from opsctl import evidence
from opsctl.deploy.means import Means
from opsctl.deploy.pipeline import Pipeline
from opsctl.errors import DeployFailed, OpsctlError
from opsctl.evidence import Entry
from opsctl.health.checks import Check
from opsctl.health.latency import latency
from opsctl.health.probes import Result
from opsctl.health.verify import Verification
from opsctl.model.environment import Environment, TargetName
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets.base import Action, Blow, Event, LogLine, Plan, Running, Target
from opsctl.targets.beneath import Beneath
from opsctl.targets.rotation import Rotation

FAILS = "fails"
"""The last word of a service that writes a line to its log and exits 1."""


def environment(name: str = "daily", **settings: Any) -> Environment:
    """Return an environment of one site."""
    return Environment.model_validate(
        {"name": name, "tier": LatencyTier.DAILY, "dr": DrTier.COLD, **settings}
    )


def service(name: str, *, last: str = "works", waits: tuple[str, ...] = ()) -> Service:
    """Return a service; another `last` word makes another digest."""
    return Service(
        name=name,
        site="a",
        kind="app",
        purpose="tests",
        argv=("serve", last),
        waits=waits,
        probe=HttpProbe(at=Address(host="127.0.0.1", port=1), path="/readyz", secret="http-token"),
        ready_within_s=0,
    )


@dataclass
class FakeHost:
    """A place of which only the secrets are real."""

    home: Path
    port: int = 1
    """Where everything listens, if anything does."""

    @property
    def identity(self) -> str:
        return str(uuid.uuid4())

    def program(self, package: str, binary: str) -> str:
        return f"/programs/{package}/{binary}"

    def python(self) -> tuple[str, ...]:
        return ("python",)

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        return str(self.home / site / service / use)

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        return Address(host="127.0.0.1", port=self.port)

    def secret(self, name: str) -> str:
        path = self.home / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text("s3cret")
        return str(path)


@dataclass
class FakeTarget:
    """Runs services as entries of a dictionary, in the order of their waits."""

    host: FakeHost
    wanted: tuple[Service, ...] = ()
    running: dict[str, Running] = field(default_factory=dict)
    log: dict[str, list[str]] = field(default_factory=dict)
    applied: list[tuple[str, str]] = field(default_factory=list)
    """Every action that was carried out, with the service's key."""
    before_each: Callable[[str], None] = lambda key: None
    refuses: OpsctlError | None = None
    """What preflight raises."""
    refuses_times: int = 1_000
    data: set[str] = field(default_factory=set)

    def services(self) -> tuple[Service, ...]:
        return self.wanted

    def deployable(self) -> tuple[Service, ...]:
        return self.wanted

    @property
    def rotation(self) -> Rotation:
        return Rotation(self.host.home / "secrets" / "tls")

    def reached(self, services: Sequence[Service]) -> tuple[Service, ...]:
        return tuple(services)

    def observe(self) -> tuple[Running, ...]:
        return tuple(self.running.values())

    def preflight(self, services: Sequence[Service]) -> None:
        if self.refuses and self.refuses_times:
            self.refuses_times -= 1
            raise self.refuses

    def apply(self, plan: Plan, services: Sequence[Service]) -> Iterator[Event]:
        by_key = {s.key: s for s in services}
        for change in plan.changes:
            self.before_each(change.name)
            self.applied.append((change.action.value, change.name))
            if change.action is Action.STOP:
                yield _event(change.name, "stopping")
                del self.running[change.name]
                yield _event(change.name, "stopped")
                continue
            yield _event(change.name, "starting")
            yield self._start(by_key[change.name])

    def _start(self, service: Service) -> Event:
        self.data.add(service.key)
        lines = self.log.setdefault(service.key, [])
        failed = service.argv[-1] == FAILS
        lines.append("cannot work like this" if failed else "works")
        self.running[service.key] = Running(
            name=service.name,
            site=service.site,
            state="failed" if failed else "running",
            made_from=service.digest(),
        )
        if failed:
            raise DeployFailed(f"{service.key} exited with 1", details=lines[-20:])
        return _event(service.key, "ready")

    def aim(self, services: Sequence[str], blow: Blow) -> Callable[[], None]:
        raise NotImplementedError

    def lacks(self, services: Sequence[str], blow: Blow) -> str:
        raise NotImplementedError

    def beneath(self) -> Beneath:
        raise NotImplementedError

    def set_clock(self, services: Sequence[str], shift_s: float) -> None:
        raise NotImplementedError

    def keep_down(self, services: Sequence[str]) -> None:
        raise NotImplementedError

    def bring_up(self, services: Sequence[str]) -> None:
        raise NotImplementedError

    def destroy(self, *, keep_data: bool) -> Iterator[Event]:
        for key in list(self.running):
            self.before_each(key)
            del self.running[key]
            yield _event(key, "stopped")
        if not keep_data:
            self.data.clear()

    def logs(
        self, services: Sequence[str], *, follow: bool, since: datetime | None
    ) -> Iterator[LogLine]:
        for key, lines in self.log.items():
            if not services or key in services:
                yield from (LogLine(service=key, at=None, text=line) for line in lines)

    def file(self, service: str, path: str) -> Path:
        return Path(path)

    def tail(self, service: str, lines: int) -> tuple[str, ...]:
        return tuple(self.log.get(service, ())[-lines:])


def _event(
    key: str, stage: Literal["preparing", "starting", "ready", "stopping", "stopped", "failed"]
) -> Event:
    return Event(at=datetime.now(UTC), service=key, stage=stage, duration_s=0.0)


@dataclass
class Recorded:
    """A progress that remembers what it was told."""

    said: list[str] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def stage(self, name: str, duration_s: float) -> None:
        self.stages.append(name)


def means(
    target: FakeTarget,
    *,
    sick: Mapping[str, str] | None = None,
    verdict: Literal["passed", "failed"] | None = "passed",
) -> Means:
    """Return means that open this target; `sick` services answer their probe with a reason."""

    def probe_all(
        services: Sequence[Service], read_secret: Callable[[str], str]
    ) -> dict[str, Result]:
        found = {}
        for one in services:
            seen = target.running.get(one.key)
            why = (sick or {}).get(one.key, "" if seen else "nothing listens")
            found[one.key] = Result(ok=not why, detail=why, duration_s=0.0)
        return found

    def verify(environment: Environment, target: Target) -> Verification:
        if verdict is None:
            raise DeployFailed("cannot measure: Prometheus does not answer")
        return verification(environment.name, verdict)

    return Means(open_target=lambda _: target, probe_all=probe_all, verify=verify)


def verification(name: str, verdict: Literal["passed", "failed"]) -> Verification:
    """Return what a verification of the daily tier answers."""
    took_ns = [n * 1_000_000 for n in range(1, 101)]
    return Verification(
        environment=name,
        tier=LatencyTier.DAILY,
        dr=DrTier.COLD,
        target=TargetName.LOCAL,
        verdict=verdict,
        latency=latency(took_ns, 1_000_000_000),
        stages=(),
        checks=(
            Check(name="latency", verdict="passed", detail="p99 99 ms, budget 1 s"),
            Check(name="monitoring", verdict=verdict, detail="Prometheus scrapes 9 services"),
        ),
    )


BUS, DATA = service("bus"), service("data", waits=("bus",))
"""What is deployed, unless a test says otherwise."""


def deployed(pipeline: Pipeline, *, verify: bool = False, **settings: Any) -> str:
    """Deploy an environment of one site; return the run."""
    return pipeline.deploy(environment(**settings), arguments={}, verify=verify).run


def lines() -> list[Entry]:
    """Return what the commands left as evidence."""
    return list(evidence.log().read())
