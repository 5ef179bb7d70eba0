"""`opsctl status` and `opsctl health` on a fake target, which its own test keeps honest."""

from __future__ import annotations

import inspect
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import jsonschema
import pytest
from typer.testing import CliRunner, Result

import opsctl.cli.selection
import opsctl.infra.watching
import opsctl.targets
from opsctl.cli import health, status
from opsctl.errors import OpsctlError
from opsctl.health.managed import Managed, Part
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.schemas import schema
from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets.base import Blow, Event, LogLine, Plan, Running, Target
from opsctl.targets.beneath import Beneath
from opsctl.targets.rotation import Rotation

ENVIRONMENT = Environment(name="daily", tier=LatencyTier.DAILY, dr=DrTier.COLD)


class FakeHost:
    """Knows where secrets are, and nothing else."""

    def __init__(self, home: Path) -> None:
        self.home = home

    identity = "5e1f"

    def program(self, package: str, binary: str) -> str:
        return f"/usr/bin/{binary}"

    def python(self) -> tuple[str, ...]:
        return ("python3",)

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        return str(self.home / service / use)

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        return Address(host="127.0.0.1", port=1)

    def secret(self, name: str) -> str:
        return str(self.home / name)


class FakeTarget:
    """Runs what it was told runs."""

    def __init__(self, home: Path, services: Sequence[Service], running: Sequence[Running]) -> None:
        self._host, self._services, self._running = FakeHost(home), services, running

    @property
    def host(self) -> FakeHost:
        return self._host

    @property
    def rotation(self) -> Rotation:
        raise AssertionError("status and health change nothing")

    def services(self) -> tuple[Service, ...]:
        return tuple(self._services)

    def deployable(self) -> tuple[Service, ...]:
        return tuple(self._services)

    def reached(self, services: Sequence[Service]) -> tuple[Service, ...]:
        return tuple(services)

    def observe(self) -> tuple[Running, ...]:
        return tuple(self._running)

    def preflight(self, services: Sequence[Service]) -> None:
        return None

    def apply(self, plan: Plan, services: Sequence[Service]) -> Iterator[Event]:
        raise AssertionError("status and health change nothing")

    def aim(self, services: Sequence[str], blow: Blow) -> Callable[[], None]:
        raise AssertionError("status and health change nothing")

    def lacks(self, services: Sequence[str], blow: Blow) -> str:
        raise NotImplementedError

    def beneath(self) -> Beneath:
        raise NotImplementedError

    def set_clock(self, services: Sequence[str], shift_s: float) -> None:
        raise NotImplementedError

    def keep_down(self, services: Sequence[str]) -> None:
        raise AssertionError("status and health change nothing")

    def bring_up(self, services: Sequence[str]) -> None:
        raise AssertionError("status and health change nothing")

    def destroy(self, *, keep_data: bool) -> Iterator[Event]:
        raise AssertionError("status and health change nothing")

    def logs(
        self, services: Sequence[str], *, follow: bool, since: datetime | None
    ) -> Iterator[LogLine]:
        return iter(())

    def file(self, service: str, path: str) -> Path:
        return Path(path)

    def tail(self, service: str, lines: int) -> tuple[str, ...]:
        return ()


def test_the_fake_target_is_a_target(tmp_path: Path) -> None:
    fake: Target = FakeTarget(tmp_path, (), ())
    for name, method in inspect.getmembers(Target, inspect.isfunction):
        if not name.startswith("_"):
            given = inspect.signature(getattr(type(fake), name))
            assert list(given.parameters) == list(inspect.signature(method).parameters), name


@pytest.fixture
def listening() -> Iterator[Address]:
    """Yield the address of something that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Address(host="127.0.0.1", port=int(listener.getsockname()[1]))


def deploy(
    monkeypatch: pytest.MonkeyPatch, home: Path, *, at: Address | None = None, up: bool = True
) -> None:
    """Stand in for a deployed environment of one service."""
    (home / "http-token").write_text("secret-token")
    data = Service(
        name="data",
        site="a",
        kind="app",
        purpose="test",
        argv=("data",),
        probe=HttpProbe(
            at=at or Address(host="127.0.0.1", port=1), path="/readyz", secret="http-token"
        ),
    )
    running = Running(
        name="data",
        site="a",
        state="running" if up else "failed",
        made_from=data.digest(),
        pid=7,
        started_at=datetime.now(UTC) - timedelta(hours=3, minutes=4),
        rss_bytes=32 << 20,
        detail="" if up else "exited with 1",
    )
    target = FakeTarget(home, [data], [running])
    monkeypatch.setattr(opsctl.targets, "open_target", lambda _: target, raising=False)
    monkeypatch.setattr(opsctl.cli.selection, "deployed", lambda *_: ENVIRONMENT)


def run(command: object, *words: str) -> Result:
    return CliRunner().invoke(command.app, list(words))  # type: ignore[attr-defined]


def test_status_answers_by_its_schema(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listening: Address
) -> None:
    deploy(monkeypatch, tmp_path, at=listening)
    done = run(status, "daily", "-o", "json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    jsonschema.validate(answer, schema("status"))
    assert answer["verdict"] == "healthy"
    assert answer["services"][0]["uptime_s"] > 11_000


def test_status_exits_3_when_a_service_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deploy(monkeypatch, tmp_path, up=False)
    done = run(status, "daily")
    assert done.exit_code == 3
    assert "daily: unhealthy" in done.stdout
    assert "exited with" in done.stdout


def test_status_exits_3_when_a_service_does_not_listen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deploy(monkeypatch, tmp_path)
    done = run(status, "daily", "-o", "json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["services"][0]["detail"] == "does not listen"


def test_status_shows_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deploy(monkeypatch, tmp_path)
    shown = run(status, "daily").stdout
    assert "data@a" in shown
    assert "3h 04m" in shown
    assert "32 MB" in shown


def test_health_exits_3_where_a_process_runs_and_does_no_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listening: Address
) -> None:
    deploy(monkeypatch, tmp_path, at=listening)
    done = run(health, "daily", "-o", "json")
    assert done.exit_code == 3
    answer = json.loads(done.stdout)
    jsonschema.validate(answer, schema("health"))
    [service] = answer["services"]
    assert (service["state"], service["ready"]) == ("running", False)
    assert "secret-token" not in done.output


def test_health_shows_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deploy(monkeypatch, tmp_path)
    shown = run(health, "daily").stdout
    assert "daily: unhealthy" in shown
    assert "nothing" in shown
    assert "Prometheus: 0 targets up" in shown


def in_cloud(monkeypatch: pytest.MonkeyPatch, managed: Managed | None) -> None:
    """Have a cloud run parts of the environment."""
    monkeypatch.setattr(opsctl.cli.selection, "in_cloud", lambda *_: ENVIRONMENT)
    monkeypatch.setattr(opsctl.infra.watching, "managed", lambda _: managed)


def test_health_shows_services_where_the_cloud_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listening: Address
) -> None:
    deploy(monkeypatch, tmp_path, at=listening)
    in_cloud(monkeypatch, Managed(detail="the state of its stack cannot be read: no bucket"))
    done = run(health, "daily")
    assert done.exit_code == 3
    assert "data@a" in done.stdout
    assert "managed parts: the state of its stack cannot be read: no bucket" in done.stdout


def test_health_shows_the_cloud_where_services_cannot_be_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(_: object) -> None:
        raise OpsctlError("trading-a does not answer", hint="see that it runs")

    deploy(monkeypatch, tmp_path)
    monkeypatch.setattr(opsctl.targets, "open_target", unreachable)
    key = Part(
        kind="key", name="key-eu", region="eu-west-1", id="1", state="healthy", detail="is enabled"
    )
    in_cloud(monkeypatch, Managed(parts=(key,)))
    done = run(health, "daily")
    assert done.exit_code == 3
    assert "services: trading-a does not answer" in done.stdout
    assert "key-eu" in done.stdout
    answer = json.loads(run(health, "daily", "-o", "json").stdout)
    jsonschema.validate(answer, schema("health"))
    assert (answer["verdict"], answer["services"]) == ("unhealthy", [])
    in_cloud(monkeypatch, None)  # nothing was made: there is only the fault to tell
    assert isinstance(run(health, "daily").exception, OpsctlError)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0s"), (59, "59s"), (61, "1m 01s"), (3_600, "1h 00m"), (90_000, "1d 01h")],
)
def test_spans_of_time(seconds: float, shown: str) -> None:
    assert status.span(seconds) == shown


@pytest.mark.parametrize("command", [status, health])
def test_every_command_has_help_with_an_example(command: object) -> None:
    assert "Example: opsctl" in run(command, "--help").stdout
