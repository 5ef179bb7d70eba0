from __future__ import annotations

import pytest

from opsctl.model.environment import Environment, TargetName
from opsctl.model.feasibility import not_yet, rehearsal, unmet
from opsctl.model.tiers import DrTier, LatencyTier


def made(tier: LatencyTier, dr: DrTier, target: TargetName = TargetName.LOCAL) -> Environment:
    return Environment(name="x", tier=tier, dr=dr, target=target)


@pytest.mark.parametrize("tier", [LatencyTier.INTRADAY, LatencyTier.DAILY, LatencyTier.WEEKLY])
def test_cold_on_this_machine_is_available(tier: LatencyTier) -> None:
    assert unmet(made(tier, DrTier.COLD)) == ()
    assert list(not_yet(made(tier, DrTier.COLD))) == []


def test_hft_needs_its_own_machine_and_a_duplicate_site() -> None:
    machine, site = unmet(made(LatencyTier.HFT, DrTier.COLD))
    assert "hft cannot be met on target local" in machine
    assert "cold does not meet tier hft" in site
    assert unmet(made(LatencyTier.HFT, DrTier.HOT, TargetName.KUBERNETES)) == ()


def test_two_sites_on_one_machine_do_not_fail_apart() -> None:
    (reason,) = unmet(made(LatencyTier.DAILY, DrTier.WARM))
    assert "warm needs 2 sites that fail apart" in reason
    assert unmet(made(LatencyTier.DAILY, DrTier.WARM, TargetName.KUBERNETES)) == ()


@pytest.mark.parametrize("tier", [LatencyTier.INTRADAY, LatencyTier.DAILY, LatencyTier.WEEKLY])
def test_hot_on_this_machine_is_a_rehearsal_that_can_be_deployed(tier: LatencyTier) -> None:
    hot = made(tier, DrTier.HOT)
    assert (unmet(hot), list(not_yet(hot))) == ((), [])
    assert "dr hot is rehearsed here, not met" in rehearsal(hot)


def test_what_has_one_site_or_a_host_for_each_is_no_rehearsal() -> None:
    assert rehearsal(made(LatencyTier.DAILY, DrTier.COLD)) == ""
    assert rehearsal(made(LatencyTier.DAILY, DrTier.HOT, TargetName.KUBERNETES)) == ""


def test_hft_on_this_machine_stays_refused_although_hot_is_given() -> None:
    (reason,) = unmet(made(LatencyTier.HFT, DrTier.HOT))
    assert "hft cannot be met on target local" in reason


def test_what_this_release_does_not_give() -> None:
    ((path, reason),) = not_yet(made(LatencyTier.DAILY, DrTier.WARM))
    assert path == ("dr",)
    assert (
        "not available on target local in this release: write `trading:dr` as `cold`, `hot`"
        in reason
    )
    ((path, reason),) = not_yet(made(LatencyTier.DAILY, DrTier.COLD, TargetName.KUBERNETES))
    assert path == ("target",)
    assert "use docker, local" in reason
