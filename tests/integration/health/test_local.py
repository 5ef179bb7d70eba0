"""`opsctl status` and `opsctl health` on the real local target, with the servers of a site."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

import opsctl.cli.selection
import opsctl.targets
from opsctl.cli import health, status
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.schemas import schema
from opsctl.services import alertmanager, etcd, postgres, prometheus, seaweedfs, valkey
from opsctl.services.base import Host, Service
from opsctl.targets.base import difference
from opsctl.targets.local import LocalTarget
from tests.support.process import freeze
from tests.support.servers import folder, wait_for

ENVIRONMENT = Environment(name="health", tier=LatencyTier.DAILY, dr=DrTier.COLD)
SERVERS = (postgres, valkey, etcd, seaweedfs, alertmanager)


def servers(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return the servers of one site, and the Prometheus that watches them."""
    own = tuple(module.service(environment, "a", host) for module in SERVERS)
    return (*own, prometheus.service(environment, "a", host, own))


@pytest.fixture(scope="module")
def target() -> Iterator[LocalTarget]:
    """Deploy the servers; destroy them in the end."""
    with pytest.MonkeyPatch.context() as patch, folder() as home:
        patch.setenv("OPSCTL_STATE", str(home))
        found = LocalTarget(ENVIRONMENT, servers)
        wanted = found.services()
        try:
            for _ in found.apply(difference("health", wanted, found.observe()), wanted):
                pass
            yield found
        finally:
            for _ in found.destroy(keep_data=False):
                pass


@pytest.fixture(autouse=True)
def _deployed(target: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    state = Path(target.host.secret("db")).parents[3]
    monkeypatch.setenv("OPSCTL_STATE", str(state))
    monkeypatch.setattr(opsctl.targets, "open_target", lambda _: target)
    monkeypatch.setattr(opsctl.cli.selection, "deployed", lambda *_: ENVIRONMENT)


def asked(command: Any, name: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code of a command, and its answer, which its schema describes."""
    done = CliRunner().invoke(command.app, ["health", "--output", "json"])
    answer: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(answer, schema(name))
    return done.exit_code, answer


def test_status_shows_what_runs(target: LocalTarget) -> None:
    code, answer = asked(status, "status")
    assert (code, answer["verdict"]) == (0, "healthy"), answer
    assert {s["name"] for s in answer["services"]} == {s.name for s in target.services()}
    for service in answer["services"]:
        assert service["state"] in ("starting", "running")
        assert service["ready"]
        assert 0 <= service["uptime_s"] < 600
        assert service["rss_bytes"] > 1 << 20


def test_every_server_does_its_work_and_no_secret_is_shown(target: LocalTarget) -> None:
    code, answer = asked(health, "health")
    assert (code, answer["verdict"]) == (0, "healthy"), answer
    assert all(service["ready"] for service in answer["services"])
    text = json.dumps(answer)
    for name in ("db", "bus", "s3", "prometheus", "alertmanager"):
        assert Path(target.host.secret(name)).read_text().strip() not in text


def test_prometheus_finds_its_targets(target: LocalTarget) -> None:
    scraped = sum(service.scrape is not None for service in target.services())

    def all_up() -> bool:
        return bool(asked(health, "health")[1]["monitoring"]["targets_up"] == scraped)

    wait_for(all_up, f"{scraped} targets", 30)


def test_a_server_that_runs_and_does_no_work_is_unhealthy_and_recovers(
    target: LocalTarget,
) -> None:
    [bus] = [seen for seen in target.observe() if seen.name == "valkey"]
    assert bus.pid is not None
    [child] = [bus.pid, *children(bus.pid)][-1:]
    freeze(child)
    try:
        began = time.monotonic()
        code, answer = asked(health, "health")
        took_s = time.monotonic() - began
        status_code, _ = asked(status, "status")
    finally:
        os.kill(child, signal.SIGCONT)
    assert code == 3
    assert status_code == 0, "the process runs: only its work tells"
    assert [s["name"] for s in answer["services"] if not s["ready"]] == ["valkey"]
    assert took_s < 8
    wait_for(lambda: asked(health, "health")[1]["verdict"] == "healthy", "recovery", 20)


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()]
