"""The pipeline on real processes: a failed deploy goes back, and keeps the logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opsctl.deploy import records
from opsctl.deploy.means import Means
from opsctl.deploy.pipeline import Pipeline
from opsctl.errors import DeployFailed
from opsctl.health.report import probe_all
from opsctl.model.environment import Environment
from opsctl.services.base import Host, Service
from opsctl.targets.base import Target
from opsctl.targets.local import LocalTarget
from tests.integration.deploy.test_target_cases import served
from tests.unit.deploy.fake import FAILS, Recorded, environment, verification


@dataclass
class Words:
    """What each service is started with; another word is another setting."""

    of: dict[str, str] = field(default_factory=dict)

    def services(self, environment: Environment, host: Host) -> tuple[Service, ...]:
        """Return the services as they should run now."""
        make = served(host)
        return tuple(make(name, last=word) for name, word in self.of.items())


@pytest.fixture
def words() -> Words:
    return Words({"bus": "works", "data": "works"})


@pytest.fixture
def pipeline(words: Words, state: Path) -> Iterator[Pipeline]:
    def open_target(environment: Environment) -> Target:
        return LocalTarget(environment, words.services)

    means = Means(
        open_target=open_target,
        probe_all=probe_all,
        verify=lambda environment, _: verification(environment.name, "passed"),
    )
    made = Pipeline(means, Recorded())
    yield made
    made.destroy(environment(), keep_data=False, arguments={})


def _running(words: Words) -> set[str]:
    seen = LocalTarget(environment(), words.services).observe()
    return {s.key for s in seen if s.state in ("running", "starting")}


def test_a_first_one_stops_what_it_started_and_its_logs_can_be_read(
    pipeline: Pipeline, words: Words
) -> None:
    words.of["data"] = FAILS
    with pytest.raises(DeployFailed, match="what was started is stopped again") as failed:
        pipeline.deploy(environment(), arguments={}, verify=False)
    assert any("cannot work like this" in line for line in failed.value.details)
    assert _running(words) == set()
    target = LocalTarget(environment(), words.services)
    lines = [line.text for line in target.logs(["data@a"], follow=False, since=None)]
    assert any("cannot work like this" in line for line in lines)
    words.of["data"] = "works"
    assert pipeline.deploy(environment(), arguments={}, verify=False).changed
    assert _running(words) == {"bus@a", "data@a"}


def test_a_later_one_brings_the_former_back(pipeline: Pipeline, words: Words) -> None:
    former = pipeline.deploy(environment(), arguments={}, verify=False)
    before = {s.key: s.made_from for s in LocalTarget(environment(), words.services).observe()}
    words.of = {"bus": "otherwise", "data": FAILS}
    with pytest.raises(DeployFailed, match=f"run {former.run} runs again"):
        pipeline.deploy(environment(), arguments={}, verify=False)
    after = {s.key: s.made_from for s in LocalTarget(environment(), words.services).observe()}
    assert after == before
    assert _running(words) == {"bus@a", "data@a"}
    assert records.in_progress("daily") is None


def test_a_rollback_restarts_what_differs(pipeline: Pipeline, words: Words) -> None:
    pipeline.deploy(environment(), arguments={}, verify=False)
    words.of["data"] = "otherwise"
    pipeline.deploy(environment(), arguments={}, verify=False)
    back = pipeline.rollback("daily", to=None, arguments={}, verify=True)
    assert [c.name for c in back.changes] == ["data@a"]
    assert _running(words) == {"bus@a", "data@a"}
