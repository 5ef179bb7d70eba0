from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from opsctl.deploy.lock import held
from opsctl.drills import heal, underway
from opsctl.drills.underway import Underway
from opsctl.model.environment import Environment
from opsctl.targets.base import Blow, Target

LEFT = Underway(run="r1", scenario="site-loss", frozen=("execution@a",), down=("etcd@a",))


class FakeTarget:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def strike(self, services: Sequence[str], blow: Blow) -> None:
        self.done.append((blow, tuple(services)))

    def bring_up(self, services: Sequence[str]) -> None:
        self.done.append(("up", tuple(services)))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path))
    underway.path("intraday").parent.mkdir(parents=True)
    return cast("Environment", type("E", (), {"name": "intraday"})())


def test_what_a_killed_drill_left_is_lifted_once_and_said(environment: Environment) -> None:
    target, said = FakeTarget(), list[str]()
    underway.note("intraday", LEFT)
    assert underway.read("intraday") == LEFT
    assert heal(environment, lambda _: cast("Target", target), said.append)
    assert target.done == [(Blow.THAW, ("execution@a",)), ("up", ("etcd@a",))]
    assert "site-loss" in said[0]
    assert underway.read("intraday") is None
    assert not heal(environment, lambda _: cast("Target", target), said.append)
    assert len(said) == 1


def test_a_drill_that_lives_is_left_alone(environment: Environment) -> None:
    target = FakeTarget()
    underway.note("intraday", LEFT)
    with held("intraday", "drill run"):
        assert not heal(environment, lambda _: cast("Target", target), print)
    assert target.done == []
    assert underway.read("intraday") == LEFT


def test_what_cannot_be_lifted_yet_stays_written_down(environment: Environment) -> None:
    said: list[str] = []
    cut = LEFT.model_copy(update={"cut": ("a-b-etcd",)})
    underway.note("intraday", cut)

    class NoLinks(FakeTarget):
        def services(self) -> tuple[()]:
            return ()

    assert not heal(environment, lambda _: cast("Target", NoLinks()), said.append)
    assert "could not be lifted yet" in said[0]
    assert underway.read("intraday") == cut


def test_a_file_that_was_torn_says_nothing(environment: Environment) -> None:
    underway.path("intraday").write_text('{"run": "r')
    assert underway.read("intraday") is None
