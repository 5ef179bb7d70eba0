"""Who may stand by for whom."""

from __future__ import annotations

import pytest

from apps.core.settings import ExecutionSettings
from apps.core.terms import AGREED, UNTOLD, Terms, Update, adjacent, agreed, difference
from apps.execution.events import Profile
from apps.execution.risk import Limits
from opsctl.services import execution
from tests.support.plain_host import PlainHost
from tests.unit.deploy.fake import environment

ONE = Terms(release="1.4.0", settings="aaaa")
NEXT = Terms(release="1.5.2", settings="aaaa")
FAR = Terms(release="1.6.0", settings="aaaa")
OTHER = Terms(release="1.4.0", settings="bbbb")


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("1.4.0", "1.4.9", True),
        ("1.4.0", "1.5.0", True),
        ("1.5.0", "1.4.0", True),
        ("1.4.0", "1.6.0", False),
        ("1.4.0", "2.0.0", False),
        ("0.1.0", "0.2.0.dev3", True),
        ("main", "main", True),
        ("main", "1.4.0", False),
    ],
)
def test_releases_are_adjacent_by_their_minor_number(one: str, other: str, near: bool) -> None:
    assert adjacent(one, other) is near


@pytest.mark.parametrize(
    ("mine", "leaders", "named", "found"),
    [
        (ONE, ONE, (), None),
        (ONE, UNTOLD, (), None),
        (NEXT, ONE, (), ("release", True)),
        (FAR, ONE, (), ("release", False)),
        (OTHER, ONE, (), ("settings", False)),
        (NEXT, ONE, (ONE, NEXT), None),
        (OTHER, ONE, (ONE, OTHER), None),
        (OTHER, ONE, (ONE, NEXT), ("settings", False)),
        (FAR, ONE, (NEXT, FAR), ("release", False)),
    ],
)
def test_a_site_stands_by_for_its_like_and_for_what_an_update_names(
    mine: Terms, leaders: Terms, named: tuple[Terms, ...], found: tuple[str, bool] | None
) -> None:
    update = Update(run="r", by="alice", at_ns=0, terms=named) if named else None
    differs = difference(mine, leaders, update, leader="a")
    assert (differs and (differs.what, differs.may_lead)) == found
    if differs is not None:
        values = {"settings": ("bbbb", "aaaa"), "release": (mine.release, leaders.release)}
        here, there = values[differs.what]
        assert f"of site a, which led last ({here} here, {there} there)" in differs.reason


def test_every_limit_and_all_of_the_venues_profile_is_agreed_on() -> None:
    assert {*Limits.__struct_fields__, *Profile.__struct_fields__} <= {*AGREED}
    assert {*AGREED} <= {*ExecutionSettings.model_fields}


def test_the_digest_of_a_deployed_app_is_that_which_it_makes_of_its_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hot = environment("hot", tier="intraday", dr="hot")
    digests = set()
    for site in ("a", "b"):
        service = execution.service(hot, site, PlainHost())
        with monkeypatch.context() as patch:
            for name, value in service.environment.items():
                patch.setenv(name, value)
            assert execution.agreed(service) == agreed(ExecutionSettings())
        digests.add(execution.agreed(service))
    assert len(digests) == 1, "ports and folders of a site are its own affair"
    limits = {"max_order_shares": 7}
    lower = environment("hot", tier="intraday", dr="hot", limits=limits)
    assert execution.agreed(execution.service(lower, "a", PlainHost())) not in digests
