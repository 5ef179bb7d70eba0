"""Keeps `FakeTarget` honest: the same cases on it and on the real local target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from opsctl.errors import DeployFailed
from opsctl.model.environment import Environment
from opsctl.services.base import Host, HttpProbe, Service
from opsctl.state import environment_folder
from opsctl.targets.base import Action, Target, difference
from opsctl.targets.local import LocalTarget
from tests.unit.deploy.fake import FAILS, FakeHost, FakeTarget, environment, service

SERVED = str(Path(__file__).with_name("served.py"))
NAME = "cases"

Make = Callable[..., Service]


def served(host: Host) -> Make:
    """Return a maker of services that are real processes."""

    def make(name: str, *, last: str = "works", waits: tuple[str, ...] = ()) -> Service:
        at = host.address(name, "a", "http")
        return Service(
            name=name,
            site="a",
            kind="app",
            purpose="tests",
            argv=(*host.python(), SERVED, str(at.port), last),
            ports={"http": at.port},
            waits=waits,
            secrets=("http-token",),
            probe=HttpProbe(at=at, path="/readyz", secret="http-token"),
            ready_within_s=20,
        )

    return make


@pytest.fixture(params=["fake", "local"])
def case(request: pytest.FixtureRequest, state: Path) -> Iterator[tuple[Target, Make]]:
    """A target with nothing on it, and a maker of services for it."""
    if request.param == "fake":
        yield FakeTarget(FakeHost(state)), service
        return

    def nothing(environment: Environment, host: Host) -> tuple[Service, ...]:
        return ()

    local = LocalTarget(environment(NAME), nothing)
    environment_folder(NAME).mkdir(parents=True)
    try:
        yield local, served(local.host)
    finally:
        for _ in local.destroy(keep_data=False):
            pass


def _apply(target: Target, services: Sequence[Service]) -> list[tuple[str, str]]:
    """Bring a target to these services; return the stages that were reached."""
    plan = difference(NAME, services, target.observe())
    events = list(target.apply(plan, services))
    return [(event.stage, event.service) for event in events]


def _up(target: Target) -> set[str]:
    """Return what runs; supervisord calls a process of its first second `starting`."""
    return {seen.key for seen in target.observe() if seen.state in ("running", "starting")}


def test_nothing_runs_at_first(case: tuple[Target, Make]) -> None:
    target, _ = case
    assert target.observe() == ()


def test_what_is_applied_is_seen_to_run_and_asks_for_no_more(case: tuple[Target, Make]) -> None:
    target, make = case
    services = (make("bus"), make("data", waits=("bus",)))
    target.preflight(services)
    stages = _apply(target, services)
    assert stages.index(("ready", "bus@a")) < stages.index(("ready", "data@a"))
    assert _up(target) == {"bus@a", "data@a"}
    assert {seen.key: seen.made_from for seen in target.observe()} == {
        s.key: s.digest() for s in services
    }
    assert difference(NAME, services, target.observe()).empty


def test_a_changed_one_is_restarted_alone(case: tuple[Target, Make]) -> None:
    target, make = case
    _apply(target, (make("bus"), make("data")))
    before = {seen.key: seen.pid for seen in target.observe()}
    changed = (make("bus"), make("data", last="otherwise"))
    plan = difference(NAME, changed, target.observe())
    assert [(c.action, c.name) for c in plan.changes] == [(Action.RESTART, "data@a")]
    stages = list(target.apply(plan, changed))
    assert {event.service for event in stages} == {"data@a"}
    assert difference(NAME, changed, target.observe()).empty
    after = {seen.key: seen.pid for seen in target.observe()}
    assert after["bus@a"] == before["bus@a"]


def test_what_nothing_asks_for_is_stopped(case: tuple[Target, Make]) -> None:
    target, make = case
    _apply(target, (make("bus"), make("data")))
    stages = _apply(target, (make("bus"),))
    assert ("stopped", "data@a") in stages
    assert _up(target) == {"bus@a"}


def test_one_that_fails_raises_with_the_end_of_its_log(case: tuple[Target, Make]) -> None:
    target, make = case
    with pytest.raises(DeployFailed, match="data@a") as failed:
        _apply(target, (make("bus"), make("data", last=FAILS, waits=("bus",))))
    assert any("cannot work like this" in line for line in failed.value.details)
    assert _up(target) == {"bus@a"}


def test_after_a_failure_the_former_can_be_brought_back(case: tuple[Target, Make]) -> None:
    target, make = case
    former = (make("bus"), make("data"))
    _apply(target, former)
    with pytest.raises(DeployFailed):
        _apply(target, (make("bus", last="otherwise"), make("data", last=FAILS)))
    _apply(target, former)
    assert difference(NAME, former, target.observe()).empty
    assert _up(target) == {"bus@a", "data@a"}


def test_an_apply_that_is_left_half_way_is_continued(case: tuple[Target, Make]) -> None:
    target, make = case
    services = (make("bus"), make("data", waits=("bus",)))
    events = target.apply(difference(NAME, services, ()), services)
    for event in events:
        if event.service == "bus@a" and event.stage == "ready":
            break
    close = getattr(events, "close", None)
    assert close is not None
    close()
    _apply(target, services)
    assert difference(NAME, services, target.observe()).empty
    assert _up(target) == {"bus@a", "data@a"}


def test_destroy_stops_everything(case: tuple[Target, Make]) -> None:
    target, make = case
    _apply(target, (make("bus"), make("data")))
    stopped = {e.service for e in target.destroy(keep_data=False) if e.stage == "stopped"}
    assert stopped == {"bus@a", "data@a"}
    assert target.observe() == ()


def test_logs_are_of_the_services_that_were_named(case: tuple[Target, Make]) -> None:
    target, make = case
    _apply(target, (make("bus"), make("data")))
    lines = list(target.logs(["bus@a"], follow=False, since=None))
    assert {line.service for line in lines} == {"bus@a"}
    assert any("works" in line.text for line in lines)
    everything = target.logs([], follow=False, since=None)
    assert {line.service for line in everything} == {"bus@a", "data@a"}
    assert any("works" in line for line in target.tail("bus@a", 5))
