"""A rolled change on a target without processes: what is done, in which order, what stops it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opsctl.deploy import records, rolling
from opsctl.deploy.outcome import Deployed
from opsctl.deploy.pipeline import Pipeline
from opsctl.deploy.rollout import Led
from opsctl.errors import DeployFailed
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier
from opsctl.services.base import Address, JournalProbe, Service
from opsctl.targets.base import Event, Plan, Target
from tests.unit.deploy.fake import (
    FAILS,
    FakeHost,
    FakeTarget,
    Recorded,
    environment,
    means,
    service,
)


@dataclass
class FakePath:
    """An order path that is handed over where `refuses` says nothing against it."""

    log: list[tuple[str, str]]
    site: str = ""
    refuses: str = ""
    fault: str = ""
    moves: bool = True

    def leads(self, environment: Environment, target: Target) -> Led | None:
        return Led(self.site, self.fault) if self.site else None

    def against(self, environment: Environment, target: Target, to: str) -> str:
        return self.refuses

    def hand_over(
        self, environment: Environment, target: Target, to: str, say: object
    ) -> float | str:
        if not self.moves:
            return "the leader did not answer within 5 s"
        self.log.append(("handover", to))
        self.site = to
        return 7.0


@dataclass
class Stage:
    """Two sites of one app each; `word` is what both are started with."""

    target: FakeTarget
    path: FakePath
    progress: Recorded = field(default_factory=Recorded)

    @property
    def pipeline(self) -> Pipeline:
        made = means(self.target)
        return Pipeline(
            type(made)(made.open_target, made.probe_all, made.verify, self.path), self.progress
        )

    def deploy(self, word: str, *, at: dict[str, str] | None = None, **more: bool) -> Deployed:
        words = {"a": word, "b": word, **(at or {})}
        self.target.wanted = tuple(app(site, words[site]) for site in ("a", "b"))
        return self.pipeline.deploy(hot(), arguments={}, verify=False, **more)

    def runs(self) -> dict[str, str]:
        """Return what runs at each site, by the word that it was started with."""
        found = {}
        for site in ("a", "b"):
            made_from = self.target.running[f"app@{site}"].made_from
            words = ("one", "two", FAILS)
            found[site] = next(w for w in words if app(site, w).digest() == made_from)
        return found


def hot() -> Environment:
    return environment("hot", dr=DrTier.HOT)


def app(site: str, word: str) -> Service:
    return service("app", last=word).model_copy(update={"site": site})


@pytest.fixture
def stage(state: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name in ("CALM_S", "ABLE_S"):
        monkeypatch.setattr(rolling, name, 0.3)
    target = FakeTarget(FakeHost(state / "host"))
    found = Stage(target, FakePath(target.applied))
    first = found.deploy("one")
    assert [step.kind for step in first.steps] == ["everything"], "nobody leads yet"
    found.path.site = "a"
    target.applied.clear()
    return found


def test_the_follower_the_handover_the_other(stage: Stage) -> None:
    done = stage.deploy("two")
    order = [("restart", "app@b"), ("handover", "b"), ("restart", "app@a")]
    assert stage.target.applied == order
    assert [(step.kind, step.site) for step in done.steps] == [
        ("site", "b"),
        ("handover", "b"),
        ("site", "a"),
    ]
    assert [step.handover_ms for step in done.steps] == [None, 7.0, None]
    assert [c.name for c in done.changes] == ["app@a", "app@b"]
    assert any(said.startswith("step: site b: app@b; b follows") for said in stage.progress.said)


def test_a_rollback_goes_the_same_way(stage: Stage) -> None:
    stage.deploy("two")
    stage.target.applied.clear()
    done = stage.pipeline.rollback("hot", to=None, arguments={}, verify=False)
    order = [("restart", "app@a"), ("handover", "a"), ("restart", "app@b")]
    assert stage.target.applied == order
    assert [step.kind for step in done.steps] == ["site", "handover", "site"]
    assert stage.runs() == {"a": "one", "b": "one"}


def test_a_plan_tells_the_steps_and_takes_none(stage: Stage) -> None:
    stage.target.wanted = tuple(app(site, "two") for site in ("a", "b"))
    planned = stage.pipeline.plan(hot())
    assert [(s.kind, s.site) for s in planned.steps] == [
        ("site", "b"),
        ("handover", "b"),
        ("site", "a"),
    ]
    (only,) = stage.pipeline.plan(hot(), at_once=True).steps
    assert only.kind == "everything"
    assert stage.target.applied == []


def test_asked_for_it_is_changed_at_once(stage: Stage) -> None:
    done = stage.deploy("two", at_once=True)
    assert [step.kind for step in done.steps] == ["everything"]
    assert ("handover", "b") not in stage.target.applied


def test_a_follower_that_fails_is_brought_back_and_the_leader_never_touched(stage: Stage) -> None:
    with pytest.raises(DeployFailed, match=r"app@b exited with 1; run .* runs again"):
        stage.deploy("two", at={"b": FAILS})
    assert stage.target.applied == [("restart", "app@b"), ("start", "app@b")]
    assert stage.runs() == {"a": "one", "b": "one"}


def test_one_that_cannot_take_over_is_brought_back_and_says_what_to_do(stage: Stage) -> None:
    stage.path.refuses = "the order session of b is not logged on"
    with pytest.raises(DeployFailed, match=r"cannot take over.*not logged on") as failed:
        stage.deploy("two")
    assert "--at-once" in failed.value.hint
    assert stage.target.applied == [("restart", "app@b"), ("restart", "app@b")]
    assert stage.runs() == {"a": "one", "b": "one"}
    assert records.in_progress("hot") is None


def test_a_handover_that_does_not_come_is_asked_for_again_then_given_up(stage: Stage) -> None:
    stage.path.moves = False
    with pytest.raises(DeployFailed, match="did not answer within 5 s"):
        stage.deploy("two")
    assert stage.runs() == {"a": "one", "b": "one"}


def test_the_second_site_fails_and_the_way_back_is_rolled_too(stage: Stage) -> None:
    with pytest.raises(DeployFailed, match="runs again"):
        stage.deploy("two", at={"a": FAILS})
    assert stage.target.applied == [
        ("restart", "app@b"),
        ("handover", "b"),
        ("restart", "app@a"),
        ("start", "app@a"),
        ("handover", "a"),
        ("restart", "app@b"),
    ]
    assert stage.runs() == {"a": "one", "b": "one"}


def test_the_way_back_is_at_once_where_it_cannot_be_rolled(stage: Stage) -> None:
    def refuse_from_now_on(key: str) -> None:
        if key == "app@a":
            stage.path.refuses = "the clocks differ"

    stage.target.before_each = refuse_from_now_on
    with pytest.raises(DeployFailed, match="runs again"):
        stage.deploy("two", at={"a": FAILS})
    assert stage.runs() == {"a": "one", "b": "one"}
    assert any("changed at once" in said for said in stage.progress.said)


def test_a_leader_that_trades_no_more_keeps_nothing_from_being_mended(stage: Stage) -> None:
    stage.path.fault = stage.path.refuses = "the venue does not answer"
    done = stage.deploy("two")
    assert [step.kind for step in done.steps] == ["site", "site"]
    assert stage.runs() == {"a": "two", "b": "two"}


def test_what_is_missing_is_started_while_the_other_trades(stage: Stage) -> None:
    del stage.target.running["app@b"]
    done = stage.deploy("two")
    assert [step.kind for step in done.steps] == ["missing", "handover", "site"]


def test_what_nothing_asks_for_runs_until_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = records.applied("hot")
    assert former is not None
    old = service("old").model_copy(update={"site": "b"})
    stage.target.wanted = (*stage.target.wanted, old)
    stage.pipeline.deploy(hot(), arguments={}, verify=False)
    stage.target.applied.clear()
    known: list[set[str]] = []
    apply = stage.target.apply

    def told(plan: Plan, services: Sequence[Service]) -> Iterator[Event]:
        known.append({service.key for service in services})
        return apply(plan, services)

    monkeypatch.setattr(stage.target, "apply", told)
    stage.deploy("two")
    assert stage.target.applied[-1] == ("stop", "old@b")
    assert ["old@b" in keys for keys in known] == [True, True, False], "a target stops the unknown"


def test_a_member_of_the_journal_is_changed_only_while_the_others_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def members(word: str) -> tuple[Service, ...]:
        at = Address(host="127.0.0.1", port=1)
        probe = JournalProbe(at=at, ca="ca", cert="cert", key="key")
        return tuple(
            service("etcd", last=word).model_copy(update={"site": site, "probe": probe})
            for site in ("a", "b", "witness")
        )

    stage.target.wanted = (*stage.target.wanted, *members("one"))
    stage.pipeline.deploy(hot(), arguments={}, verify=False)
    stage.target.applied.clear()
    stage.target.wanted = (app("a", "one"), app("b", "one"), *members("two"))
    done = stage.pipeline.deploy(hot(), arguments={}, verify=False)
    order = [
        ("restart", "etcd@witness"),
        ("restart", "etcd@b"),
        ("handover", "b"),
        ("restart", "etcd@a"),
    ]
    assert stage.target.applied == order
    assert [step.kind for step in done.steps] == ["journal", "journal", "handover", "journal"]
    stage.target.applied.clear()
    stage.target.wanted = (app("a", "one"), app("b", "one"), *members("one"))
    sick = means(stage.target, sick={"etcd@a": "no quorum"})
    broken = Pipeline(
        type(sick)(sick.open_target, sick.probe_all, sick.verify, stage.path), stage.progress
    )
    with pytest.raises(DeployFailed, match="etcd@a is not healthy: no quorum"):
        broken.deploy(hot(), arguments={}, verify=False)
    assert stage.target.applied == []


@pytest.mark.parametrize("killed_at", ["app@b", "app@a"])
def test_killed_between_the_steps_the_next_one_goes_on(stage: Stage, killed_at: str) -> None:
    class Killed(BaseException):
        """Ends the process, as far as the pipeline can see."""

    def die(key: str) -> None:
        if key == killed_at:
            raise Killed

    stage.target.before_each = die
    with pytest.raises(Killed):
        stage.deploy("two")
    stage.target.before_each = lambda _: None
    done = stage.deploy("two")
    whole = [("restart", "app@b"), ("handover", "b"), ("restart", "app@a")]
    assert stage.target.applied == whole, "nothing is done twice"
    assert done.steps[-1].services == ("app@a",)
    assert records.in_progress("hot") is None


def test_a_service_that_does_not_stay_is_not_tried_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = stage.target.observe

    def forgetful() -> tuple[object, ...]:
        return tuple(
            seen.model_copy(update={"made_from": "another"}) if seen.site == "b" else seen
            for seen in observe()
        )

    monkeypatch.setattr(stage.target, "observe", forgetful)
    with pytest.raises(DeployFailed, match="did not stay as deployed"):
        stage.deploy("two")
