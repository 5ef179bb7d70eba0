"""Verification: what is made of samples, and what is said of what cannot be measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.messages import Stamps
from opsctl.health.checks import budget_kept, failure_domains, promises
from opsctl.health.latency import (
    ENOUGH,
    in_words,
    latency,
    percentile_us,
    stages,
    tick_to_order_ns,
)
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.services.base import Address, HttpProbe, Service

MS = 1_000_000


def environment(tier: LatencyTier = LatencyTier.DAILY, dr: DrTier = DrTier.COLD) -> Environment:
    return Environment(name="daily", tier=tier, dr=dr)


def service(site: str, host: str) -> Service:
    at = Address(host=host, port=80)
    return Service(
        name="data",
        site=site,
        kind="app",
        purpose="",
        argv=("true",),
        probe=HttpProbe(at=at, path="/readyz", secret="http-token"),
    )


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=2_000), st.sampled_from([*ENOUGH]))
def test_a_percentile_is_a_sample_that_so_many_do_not_exceed(took: list[int], share: float) -> None:
    found = percentile_us(took, share)
    if len(took) < ENOUGH[share]:
        assert found is None
        return
    assert found is not None
    assert found in {ns / 1_000 for ns in took}
    assert sum(ns / 1_000 <= found for ns in took) >= math.ceil(share * len(took))
    assert sum(ns / 1_000 < found for ns in took) < math.ceil(share * len(took))


def test_figures_that_few_samples_do_not_carry_are_left_out() -> None:
    found = latency([n * MS for n in range(1, 51)], 1_000 * MS)
    assert (found.samples, found.p50_us, found.max_us) == (50, 25_000.0, 50_000.0)
    assert (found.p99_us, found.p999_us, found.judged_us) == (None, None, 50_000.0)
    found = latency([n * MS for n in range(1, 1_001)], 1_000 * MS)
    assert (found.p99_us, found.p999_us, found.judged_us) == (990_000.0, 999_000.0, 990_000.0)


def test_the_budget_is_held_against_p99() -> None:
    slow_once = [5 * MS] * 199 + [2_000 * MS]
    assert latency(slow_once, 1_000 * MS).met
    assert budget_kept(latency(slow_once, 1_000 * MS)).verdict == "passed"
    slow = [5 * MS] * 190 + [2_000 * MS] * 10
    assert not latency(slow, 1_000 * MS).met
    check = budget_kept(latency(slow, 1_000 * MS))
    assert check.verdict == "failed"
    assert "p99 2 s of 200 probes, budget 1 s" in check.detail
    assert "p99.9 takes 1,000" in check.detail


def test_of_few_samples_the_maximum_is_judged_and_that_is_said() -> None:
    check = budget_kept(latency([5 * MS] * 9 + [2_000 * MS], 1_000 * MS))
    assert check.verdict == "failed"
    assert "maximum 2 s of 10 probes" in check.detail
    assert "p99 takes 100" in check.detail


def test_what_was_not_measured_has_failed() -> None:
    found = latency([], 1_000 * MS)
    assert (found.max_us, found.met) == (None, False)
    assert budget_kept(found).detail == "not measured; the budget is 1 s"


def test_stages_add_up_to_the_whole() -> None:
    stamps = [
        Stamps(
            data_in=base,
            published=base + 1 * MS,
            decided=base + 3 * MS,
            received=base + 6 * MS,
            journaled=base + 10 * MS,
            sent=base + 15 * MS,
        )
        for base in range(MS, 101 * MS, MS)
    ]
    found = stages(stamps)
    assert [(s.name, s.p50_us) for s in found] == [
        ("data", 1_000.0),
        ("decision", 2_000.0),
        ("bus", 3_000.0),
        ("risk+journal", 4_000.0),
        ("gateway", 5_000.0),
    ]
    assert sum(s.max_us or 0 for s in found) * 1_000 == tick_to_order_ns(stamps[0])


def test_a_stage_that_was_not_passed_has_no_figures() -> None:
    found = {s.name: s for s in stages([Stamps(data_in=MS, published=2 * MS, decided=3 * MS)])}
    assert (found["data"].samples, found["data"].max_us) == (1, 1_000.0)
    assert (found["gateway"].samples, found["gateway"].max_us) == (0, None)


@pytest.mark.parametrize(
    ("us", "words"),
    [
        (8.4, "8 us"),
        (999, "999 us"),
        (1_500, "1.5 ms"),
        (12_345, "12.3 ms"),
        (640_000, "640 ms"),
        (1_000_000, "1 s"),
        (5_210_000, "5.21 s"),
        (60_000_000, "60 s"),
    ],
)
def test_durations_in_words(us: float, words: str) -> None:
    assert in_words(us) == words


def test_one_site_is_no_recovery() -> None:
    check = failure_domains(environment(), [service("a", "127.0.0.1")])
    assert check.verdict == "stated"
    assert "1 site on 1 host (127.0.0.1): when it is lost, everything is" in check.detail
    assert "rebuild within 4 h" in check.detail


def test_sites_on_one_host_are_a_rehearsal() -> None:
    hot = environment(LatencyTier.INTRADAY, DrTier.HOT)
    check = failure_domains(hot, [service("a", "10.0.0.1"), service("b", "10.0.0.1")])
    assert "2 sites on 1 host" in check.detail
    assert "a rehearsal" in check.detail
    check = failure_domains(hot, [service("a", "10.0.0.1"), service("b", "10.0.0.2")])
    assert "rehearsal" not in check.detail


def test_a_tier_that_cannot_be_met_has_failed_whatever_is_measured() -> None:
    check = promises(environment(LatencyTier.HFT))
    assert check.verdict == "failed"
    assert "hft cannot be met on target local" in check.detail
    assert promises(environment()).verdict == "passed"


def test_a_rehearsal_is_stated_and_never_passed() -> None:
    check = promises(environment(LatencyTier.INTRADAY, DrTier.HOT))
    assert check.verdict == "stated"
    assert "a rehearsal: sites a and b share one host" in check.detail
