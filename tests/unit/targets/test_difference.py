from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets.base import Action, Plan, Running, difference

State = Literal["running", "starting", "stopped", "failed"]


def service(name: str, argument: str = "") -> Service:
    return Service(
        name=name,
        site="a",
        kind="app",
        purpose="a test",
        argv=("/bin/true", argument),
        probe=HttpProbe(at=Address(host="127.0.0.1", port=1), path="/", secret="t"),
    )


def running(of: Service, state: State = "running", **more: str) -> Running:
    return Running(
        name=of.name, site=of.site, state=state, made_from=more.get("made_from", of.digest())
    )


def actions(plan: Plan) -> list[tuple[str, Action]]:
    return [(change.name, change.action) for change in plan.changes]


def test_nothing_runs_so_everything_starts() -> None:
    plan = difference("daily", [service("x"), service("y")], [])
    assert actions(plan) == [("x@a", Action.START), ("y@a", Action.START)]


def test_what_runs_as_it_should_stays() -> None:
    assert difference("daily", [service("x")], [running(service("x"))]).empty


def test_what_was_made_from_something_else_restarts() -> None:
    plan = difference("daily", [service("x", "new")], [running(service("x", "old"))])
    assert actions(plan) == [("x@a", Action.RESTART)]


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_what_does_not_run_starts(state: State) -> None:
    plan = difference("daily", [service("x")], [running(service("x"), state)])
    assert actions(plan) == [("x@a", Action.START)]


def test_what_nothing_asks_for_stops_before_anything_starts() -> None:
    plan = difference("daily", [service("x")], [running(service("old"))])
    assert actions(plan) == [("old@a", Action.STOP), ("x@a", Action.START)]


@given(
    wanted=st.sets(st.sampled_from("abcdef")),
    seen=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["same", "other", "dead"])),
)
def test_a_plan_names_exactly_what_differs(wanted: set[str], seen: dict[str, str]) -> None:
    now = [
        running(
            service(name),
            "stopped" if how == "dead" else "running",
            made_from=service(name).digest() if how == "same" else "other",
        )
        for name, how in seen.items()
    ]
    changed = {
        c.name[0]: c.action
        for c in difference("e", [service(n) for n in sorted(wanted)], now).changes
    }
    for name in "abcdef":
        how = seen.get(name)
        expected = None
        if name in wanted:
            expected = {"same": None, "other": Action.RESTART}.get(how or "", Action.START)
        elif how in ("same", "other"):
            expected = Action.STOP
        assert changed.get(name) == expected
