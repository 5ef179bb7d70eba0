"""In which steps a change of two sites is made: cases of what differs, what runs, who leads."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.deploy.rollout import Goal, Led, Step, rollout
from opsctl.model.environment import Environment, VenueProfile
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.services.base import JournalProbe
from opsctl.services.catalogue import services as catalogue
from opsctl.targets.base import Change, Running, difference
from tests.support.plain_host import PlainHost
from tests.unit.deploy.fake import environment

HOT = environment("hot", tier=LatencyTier.INTRADAY, dr=DrTier.HOT)
SERVICES = catalogue(HOT, PlainHost())
KEYS = tuple(service.key for service in SERVICES)
ON_SITES = ("execution", "strategy", "data", "valkey")
A = Led("a")


def running(*other: str, down: Sequence[str] = (), more: Sequence[str] = ()) -> list[Running]:
    """Return all services as they run; `other` were started from something else."""
    found = []
    for service in SERVICES:
        made_from = "former" if service.key in other else service.digest()
        state = "failed" if service.key in down else "running"
        found.append(
            Running.model_validate(
                {
                    "name": service.name,
                    "site": service.site,
                    "state": state,
                    "made_from": made_from,
                }
            )
        )
    for key in more:
        name, _, site = key.partition("@")
        found.append(Running(name=name, site=site, state="running", made_from="x"))
    return found


def steps(
    seen: Sequence[Running],
    led: Led | None = A,
    *,
    former: Environment | None = HOT,
    at_once: bool = False,
) -> tuple[Step, ...]:
    plan = difference("hot", SERVICES, seen)
    return rollout(Goal(HOT, SERVICES, former, at_once=at_once), plan.changes, seen, led)


def told(found: Sequence[Step]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(step.kind, step.site, step.services) for step in found]


def test_the_follower_then_a_handover_then_the_other() -> None:
    found = steps(running("execution@a", "execution@b", "strategy@a", "strategy@b"))
    assert told(found) == [
        ("site", "b", ("strategy@b", "execution@b")),
        ("handover", "b", ()),
        ("site", "a", ("strategy@a", "execution@a")),
    ]
    assert "while a trades" in found[0].reason
    assert "while b trades" in found[2].reason


def test_whoever_leads_comes_last() -> None:
    found = steps(running("execution@a", "execution@b"), Led("b"))
    assert [(s.kind, s.site) for s in found] == [("site", "a"), ("handover", "a"), ("site", "b")]


def test_after_the_handover_only_the_former_leader_is_left() -> None:
    assert told(steps(running("execution@a"), Led("b"))) == [("site", "a", ("execution@a",))]


def test_a_deploy_that_was_killed_before_the_handover_goes_on_with_it() -> None:
    assert [s.kind for s in steps(running("execution@a"))] == ["handover", "site"]


def test_members_of_the_journal_go_one_at_a_time_the_witness_by_itself() -> None:
    found = steps(running(*(key for key in KEYS if key.startswith("etcd@")), "data@b"))
    assert told(found) == [
        ("journal", "witness", ("etcd@witness",)),
        ("journal", "b", ("etcd@b",)),
        ("site", "b", ("data@b",)),
        ("handover", "b", ()),
        ("journal", "a", ("etcd@a",)),
    ]


def test_what_is_off_the_order_path_takes_no_handover() -> None:
    found = steps(running("desk@a", "desk@b", "postgres@a"))
    assert told(found) == [("site", "b", ("desk@b",)), ("site", "a", ("postgres@a", "desk@a"))]
    assert "goes on trading" in found[1].reason


def test_what_both_sites_use_comes_before_them_and_its_cost_is_said() -> None:
    found = steps(running("venue@market", "network@between", "data@a", "data@b"))
    assert told(found)[0] == ("shared", "", ("venue@market", "network@between"))
    assert "trading stops" in found[0].reason
    assert [s.kind for s in found[1:]] == ["site", "handover", "site"]


def test_what_does_not_run_is_started_first() -> None:
    seen = running("execution@a", "execution@b", down=["execution@b", "desk@a"])
    assert told(steps(seen))[0] == ("missing", "", ("desk@a", "execution@b"))
    assert [s.kind for s in steps(seen)[1:]] == ["handover", "site"]


def test_what_nothing_asks_for_goes_last() -> None:
    found = steps(running("execution@a", more=["old@a", "old@market"]))
    assert told(found)[-1] == ("unwanted", "", ("old@a", "old@market"))
    assert [s.kind for s in found] == ["handover", "site", "unwanted"]


def test_a_leader_that_sends_no_order_is_waited_for_by_nobody() -> None:
    found = steps(running("execution@a", "execution@b"), Led("a", "the bus does not answer"))
    assert [(s.kind, s.site) for s in found] == [("site", "b"), ("site", "a")]
    assert "the bus does not answer" in found[1].reason


@pytest.mark.parametrize(
    ("seen", "led", "former", "at_once", "why"),
    [
        ([], None, None, False, "nobody leads"),
        (running("execution@a"), None, HOT, False, "nobody leads"),
        (running("execution@a"), A, HOT, True, "asked for"),
        (
            running("execution@a"),
            A,
            HOT.model_copy(update={"venue": VenueProfile(duplicate_check="none")}),
            False,
            "the venue's profile changes",
        ),
        (
            [r.model_copy(update={"made_from": ""}) for r in running()],
            A,
            HOT,
            False,
            "nothing says what the services were started from",
        ),
    ],
    ids=["first", "nobody leads", "asked for", "venue profile", "another supervisor"],
)
def test_all_at_once_and_why(
    seen: list[Running], led: Led | None, former: Environment | None, at_once: bool, why: str
) -> None:
    (only,) = steps(seen, led, former=former, at_once=at_once)
    assert only.kind == "everything"
    assert why in only.reason
    assert set(only.services) == {c.name for c in difference("hot", SERVICES, seen).changes}


def test_one_site_is_changed_all_at_once() -> None:
    cold = environment()
    wanted = catalogue(cold, PlainHost())
    changes = difference("daily", wanted, []).changes
    (only,) = rollout(Goal(cold, wanted), changes, [], A)
    assert (only.kind, only.reason) == ("everything", "one site trades")


def test_nothing_to_change_takes_no_step() -> None:
    assert steps(running()) == ()


@given(
    other=st.sets(st.sampled_from(KEYS)),
    down=st.sets(st.sampled_from(KEYS)),
    led=st.sampled_from(["a", "b"]),
)
def test_whatever_differs_is_changed_once_and_the_leader_never_before_a_handover(
    other: set[str], down: set[str], led: str
) -> None:
    seen = running(*other, down=sorted(down))
    changes: tuple[Change, ...] = difference("hot", SERVICES, seen).changes
    found = steps(seen, Led(led))
    if not any(r.made_from for r in seen):
        return
    named = [key for step in found for key in step.services]
    assert sorted(named) == sorted(change.name for change in changes)
    members = {s.key for s in SERVICES if isinstance(s.probe, JournalProbe)}
    background = {s.key for s in SERVICES if s.background}
    handed = False
    for step in found:
        handed |= step.kind == "handover"
        restarted = set(step.services) - down
        assert len(restarted & members) <= 1, "the quorum is kept"
        if not handed:
            on_path = {key for key in restarted if key.endswith(f"@{led}")} - background
            assert not on_path, "the site that trades is left alone"
