"""A rotation is three changes, each whole before the next, and goes on where it was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl import evidence
from opsctl.deploy import records
from opsctl.deploy.outcome import Rotated
from opsctl.deploy.pipeline import Pipeline
from opsctl.errors import UsageError
from opsctl.targets.rotation import STEPS
from opsctl.targets.secrets import Secrets
from tests.unit.deploy.fake import FakeHost, FakeTarget, Recorded, environment, means, service

BUS = service("bus")
JOURNAL = service("etcd").model_copy(update={"secrets": ("tls/ca.crt", "tls/etcd.crt")})


class Killed(BaseException):
    """Stands for a SIGKILL."""


@pytest.fixture
def target(state: Path) -> FakeTarget:
    Secrets(state / "host" / "secrets").ensure(JOURNAL.secrets)
    return FakeTarget(FakeHost(state / "host"), (BUS, JOURNAL))


@pytest.fixture
def pipeline(target: FakeTarget) -> Pipeline:
    made = Pipeline(means(target), Recorded())
    made.deploy(environment(), arguments={}, verify=False)
    target.applied.clear()
    return made


def _rotate(pipeline: Pipeline) -> Rotated:
    return pipeline.rotate(environment(), arguments={})


def test_each_step_starts_anew_who_bears_a_certificate_and_nobody_else(
    pipeline: Pipeline, target: FakeTarget
) -> None:
    ca = target.host.home / "secrets/tls/ca.crt"
    before = ca.read_text()
    result = _rotate(pipeline)
    assert target.applied == [("restart", "etcd@a")] * len(STEPS)
    assert len(set(result.runs)) == len(STEPS)
    assert result.expires == target.rotation.expires
    assert ca.read_text() != before
    assert not target.rotation.under_way
    applied = records.applied("daily")
    assert applied is not None
    assert applied.run == result.runs[-1]
    assert [line.command for line in evidence.log().read()] == ["deploy", *["env rotate"] * 3]


def test_a_deploy_afterwards_changes_nothing(pipeline: Pipeline, target: FakeTarget) -> None:
    _rotate(pipeline)
    target.applied.clear()
    applied = records.applied("daily")
    assert applied is not None
    target.wanted = applied.services
    assert not pipeline.deploy(environment(), arguments={}, verify=False).changed
    assert target.applied == []


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_one_that_was_killed_goes_on_and_begins_no_other(
    pipeline: Pipeline, target: FakeTarget, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    def killed(_: str) -> None:
        if target.rotation.generation == step + 1:
            raise Killed

    monkeypatch.setattr(target, "before_each", killed)
    with pytest.raises(Killed):
        _rotate(pipeline)
    monkeypatch.setattr(target, "before_each", lambda _: None)
    target.applied.clear()
    _rotate(pipeline)
    assert target.rotation.generation == len(STEPS)
    assert target.applied == [("restart", "etcd@a")] * (len(STEPS) - step)


def test_it_waits_for_a_deploy_that_did_not_end(pipeline: Pipeline, target: FakeTarget) -> None:
    def killed(_: str) -> None:
        raise Killed

    target.before_each = killed
    target.wanted = (BUS, JOURNAL, service("data"))
    with pytest.raises(Killed):
        pipeline.deploy(environment(), arguments={}, verify=False)
    with pytest.raises(UsageError, match="the deploy of daily did not come to its end"):
        _rotate(pipeline)
    assert target.rotation.generation == 0


def test_what_is_not_deployed_has_nothing_to_rotate(state: Path) -> None:
    target = FakeTarget(FakeHost(state / "host"), (BUS,))
    with pytest.raises(UsageError, match="daily is not deployed"):
        _rotate(Pipeline(means(target), Recorded()))
