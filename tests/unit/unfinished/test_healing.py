"""What a killed drill left is lifted, under the lock, and said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from opsctl import evidence
from opsctl.deploy.lock import held
from opsctl.drills import underway
from opsctl.drills.underway import Underway
from opsctl.targets.base import Blow, Target
from opsctl.unfinished import heal
from tests.unit.deploy.fake import environment

LEFT = Underway(run="r1", scenario="site-loss", frozen=("execution@a",), down=("etcd@a",))
ENVIRONMENT = environment("broken")


class FakeTarget:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def aim(self, services: Sequence[str], blow: Blow) -> Callable[[], None]:
        return lambda: self.done.append((blow, tuple(services)))

    def bring_up(self, services: Sequence[str]) -> None:
        self.done.append(("up", tuple(services)))

    def observe(self) -> tuple[()]:
        return ()

    def services(self) -> tuple[()]:
        return ()


@pytest.fixture(autouse=True)
def _folder(state: Path) -> None:
    underway.path("broken").parent.mkdir(parents=True)


def _heal(target: FakeTarget, said: list[str]) -> bool:
    return heal(ENVIRONMENT, lambda _: cast("Target", target), said.append, command="open")


def test_what_a_killed_drill_left_is_lifted_once_said_and_recorded() -> None:
    target, said = FakeTarget(), list[str]()
    underway.note("broken", LEFT)
    assert _heal(target, said)
    assert target.done == [(Blow.THAW, ("execution@a",)), ("up", ("etcd@a",))]
    what = "drill site-loss did not come to its end; its faults may stand"
    assert said[:2] == [
        f"unfinished: {what}: execution@a frozen; etcd@a kept down (run r1)",
        "healed: lifted what drill site-loss (run r1) left standing when it was killed",
    ]
    assert underway.read("broken") is None
    (line,) = evidence.log().read()
    assert (line.command, line.environment, line.arguments) == (
        "heal",
        "broken",
        {"before": "open"},
    )
    assert line.result["runs"] == ["r1"]
    assert not _heal(target, [])
    assert len(evidence.log().read()) == 1


def test_where_nothing_is_left_nothing_is_said_or_recorded() -> None:
    said: list[str] = []
    assert not _heal(FakeTarget(), said)
    assert (said, evidence.log().read()) == ([], [])


def test_nobody_heals_behind_the_back_of_who_holds_the_environment() -> None:
    target, said = FakeTarget(), list[str]()
    underway.note("broken", LEFT)
    with held("broken", "drill run"):
        _heal(target, said)
    assert target.done == []
    assert said[-1].startswith("left to the next command: broken is held by `drill run`")
    assert underway.read("broken") == LEFT


def test_what_cannot_be_lifted_yet_stays_written_down() -> None:
    said: list[str] = []
    cut = LEFT.model_copy(update={"cut": ("a-b-etcd",)})
    underway.note("broken", cut)
    _heal(FakeTarget(), said)
    assert "could not be lifted yet" in said[1]
    assert underway.read("broken") == cut


def test_a_file_that_was_torn_says_nothing() -> None:
    underway.path("broken").write_text('{"run": "r')
    assert underway.read("broken") is None
    assert not _heal(FakeTarget(), [])
