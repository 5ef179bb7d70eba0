"""What must happen to leadership in a drill, and what must not."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from apps.core.etcd import Unreachable
from apps.core.journal import Leadership
from opsctl.drills import succession
from opsctl.drills.accounts import Accounts
from opsctl.drills.outcome import Recovery
from opsctl.drills.scenario import Leadership as Must
from opsctl.drills.scenario import load
from opsctl.drills.striking import Striking
from opsctl.drills.succession import Succession
from opsctl.drills.timeline import Timeline
from opsctl.drills.traffic import Traffic

FORMER = Leadership(epoch=3, owner="a/1", site="a", at_ns=0)
NEXT = Leadership(epoch=4, owner="b/1", site="b", at_ns=0)


@dataclass
class FakeWorld:
    """A journal that names a leader, a client that is told of orders, faults that end."""

    leader: Leadership | Exception | None = FORMER
    flows: bool = True
    flows_before_the_end: bool = True
    finished: bool = False
    count: int = 0
    environment: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(recovery=SimpleNamespace(rto_s=0.05))
    )

    def overview(self) -> FakeWorld:
        if isinstance(self.leader, Exception):
            raise self.leader
        return self

    def acknowledged(self) -> int:
        self.count += self.flows and (self.finished or self.flows_before_the_end)
        return self.count

    def finish(self) -> None:
        self.finished = True


def ended(world: FakeWorld, leadership: Must, recovery: Recovery = "longest-gap") -> list[str]:
    """Return what did not happen, or should not have."""
    made = Succession(cast("Accounts", world), FORMER, Timeline(lambda _: None))
    scenario = load("leader-kill").model_copy(
        update={"leadership": leadership, "recovery": recovery}
    )
    found = list(made.await_end(scenario, cast("Traffic", world), cast("Striking", world)))
    assert world.finished
    if world.leader is NEXT:
        assert made.successor == NEXT
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "CALM_S", 0.0)
    monkeypatch.setattr(succession, "UNDISTURBED_S", 0.0)


MOVED = ["leadership moved, which it must not in this scenario"]


@pytest.mark.parametrize(
    ("leadership", "leader", "says"),
    [
        ("stays", FORMER, []),
        ("stays", NEXT, MOVED),
        ("stays", Unreachable("no answer"), []),
        ("may-move", FORMER, []),
        ("may-move", NEXT, []),
        ("moves", NEXT, []),
        ("moves", FORMER, ["nobody took over within 0.05 s"]),
        ("moves", None, ["nobody took over within 0.05 s"]),
    ],
)
def test_leadership_does_what_the_scenario_says(
    leadership: Must, leader: Leadership | Exception | None, says: list[str]
) -> None:
    assert ended(FakeWorld(leader), leadership) == says


def test_orders_must_go_on() -> None:
    silent = ["no order was acknowledged within 0.05 s"]
    assert ended(FakeWorld(flows=False), "may-move") == silent
    assert ended(FakeWorld(flows=False), "stays", "after-lift") == silent


def test_where_recovery_counts_from_the_end_orders_need_go_on_only_after_it() -> None:
    assert ended(FakeWorld(flows_before_the_end=False), "may-move", "after-lift") == []
    assert ended(FakeWorld(flows_before_the_end=False), "may-move") == [
        "no order was acknowledged within 0.05 s"
    ]
