"""The command line on a target without processes, for environments that end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Opsctl, opsctl
from tests.unit.deploy.fake import FakeHost, FakeTarget, means, service

__all__ = ["Opsctl", "opsctl"]


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, state: Path) -> FakeTarget:
    """What the commands of this test act on."""
    fake = FakeTarget(FakeHost(state / "host"), (service("bus"), service("data", waits=("bus",))))
    monkeypatch.setattr("opsctl.targets.open_target", lambda _: fake)
    monkeypatch.setattr("opsctl.deploy.means.means", lambda *_: means(fake))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("opsctl.ephemeral.finding.marked_here", tuple)
    monkeypatch.setattr("opsctl.ephemeral.finding.orphans_here", tuple)
    return fake
