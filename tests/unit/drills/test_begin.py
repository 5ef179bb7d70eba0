from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from apps.core.etcd import Unreachable
from apps.core.journal import Leadership
from opsctl.drills import begin, members
from opsctl.drills.accounts import Accounts
from opsctl.drills.begin import Blocked, leader_of, placed
from opsctl.drills.scenario import load
from opsctl.drills.timeline import Timeline

FORMER = Leadership(epoch=3, owner="a/1", site="a", at_ns=0)
AGAIN = Leadership(epoch=5, owner="a/1", site="a", at_ns=0)
OTHER = Leadership(epoch=4, owner="b/1", site="b", at_ns=0)


@dataclass
class FakeAccounts:
    """Two sites, and a leader that the journal tells of, or why it does not."""

    leader: Leadership | Exception | None
    trading_sites: tuple[str, ...] = ("a", "b")
    target: None = None
    moved: list[str] = field(default_factory=list)

    @property
    def environment(self) -> FakeAccounts:
        return self

    def overview(self) -> FakeAccounts:
        if isinstance(self.leader, Exception):
            raise self.leader
        return self


def accounts(leader: Leadership | Exception | None) -> tuple[FakeAccounts, Accounts]:
    made = FakeAccounts(leader)
    return made, cast("Accounts", made)


def told() -> Timeline:
    return Timeline(lambda _: None)


@pytest.fixture(autouse=True)
def lead(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(fake: FakeAccounts, target: Any, site: str) -> str:
        fake.moved.append(site)
        return f"the journal's member of {site} leads"

    monkeypatch.setattr(members, "lead", moved)
    monkeypatch.setattr(begin, "CALM_S", 0.0)


@pytest.mark.parametrize(("etcd_leader", "sites"), [(True, ["a"]), (False, [])])
def test_the_leader_of_the_journal_is_moved_into_the_lost_site_where_that_is_asked(
    etcd_leader: bool, sites: list[str]
) -> None:
    fake, found = accounts(AGAIN)
    scenario = load("site-loss", {"etcd_leader": etcd_leader})
    assert placed(scenario, found, FORMER, told()) == AGAIN
    assert fake.moved == sites


def test_other_faults_leave_the_journal_as_it_is() -> None:
    fake, found = accounts(FORMER)
    assert placed(load("leader-kill"), found, FORMER, told()) == FORMER
    assert fake.moved == []


def test_whoever_took_over_before_the_fault_is_told_of_and_is_who_leads() -> None:
    _, found = accounts(OTHER)
    timeline = told()
    assert placed(load("leader-kill"), found, FORMER, timeline) == OTHER
    assert [m.what for m in timeline.moments()] == ["b took epoch 4 before the fault"]


def test_the_leader_of_the_journal_follows_whoever_took_over() -> None:
    fake, found = accounts(OTHER)
    assert placed(load("site-loss"), found, FORMER, told()) == OTHER
    assert fake.moved == ["a", "b"]


def test_a_drill_is_blocked_where_leadership_does_not_come_to_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leaders = itertools.cycle([OTHER, AGAIN])
    monkeypatch.setattr(begin, "leader_of", lambda _: next(leaders))
    with pytest.raises(Blocked, match="to and fro"):
        placed(load("site-loss"), accounts(FORMER)[1], FORMER, told())


@pytest.mark.parametrize(
    ("leader", "says"),
    [(None, "no site leads"), (Unreachable("no answer"), "the journal does not answer: no answer")],
)
def test_a_drill_is_blocked_where_nobody_leads(leader: Exception | None, says: str) -> None:
    with pytest.raises(Blocked, match=says):
        leader_of(accounts(leader)[1])
