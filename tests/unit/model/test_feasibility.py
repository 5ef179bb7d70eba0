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


@pytest.mark.parametrize("tier", [LatencyTier.INTRADAY, LatencyTier.DAILY, LatencyTier.WEEKLY])
@pytest.mark.parametrize("dr", [DrTier.HOT, DrTier.WARM])
def test_two_sites_on_this_machine_are_a_rehearsal_that_can_be_deployed(
    tier: LatencyTier, dr: DrTier
) -> None:
    both = made(tier, dr)
    assert (unmet(both), list(not_yet(both))) == ((), [])
    assert f"dr {dr} is rehearsed here, not met" in rehearsal(both)


def test_what_has_one_site_or_a_host_for_each_is_no_rehearsal() -> None:
    assert rehearsal(made(LatencyTier.DAILY, DrTier.COLD)) == ""
    assert rehearsal(made(LatencyTier.DAILY, DrTier.HOT, TargetName.KUBERNETES)) == ""


def test_hft_on_this_machine_stays_refused_although_hot_is_given() -> None:
    (reason,) = unmet(made(LatencyTier.HFT, DrTier.HOT))
    assert "hft cannot be met on target local" in reason


def test_what_this_release_does_not_give() -> None:
    ((path, reason),) = not_yet(made(LatencyTier.DAILY, DrTier.COLD, TargetName.KUBERNETES))
    assert path == ("target",)
    assert "use docker, local" in reason
