"""What was counted on trading CPUs, against the bound of the profile."""

from __future__ import annotations

from opsctl.model.tiers import LatencyTier
from opsctl.provision.latency import Counted, Figure, Judgement, Measured, WakeUp, holds, judge

QUIET = Counted(ticks=0.4, interrupts=0, calls=0, switches=0, share=0.9998, gap_us=40)
BUSY = Counted(ticks=249, interrupts=4.2, calls=7, switches=55, share=0.4, gap_us=9000)


def _by_name(figures: tuple[Figure, ...]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_a_cpu_that_nothing_disturbs_is_within() -> None:
    figures = judge(Measured(cpus={3: QUIET}), LatencyTier.HFT, "none")
    assert holds(figures)
    found = _by_name(figures)
    assert found["cpu3.ticks"].judgement is Judgement.WITHIN
    assert found["wake_up_us"].judgement is Judgement.NOT_MEASURED


def test_each_count_beyond_its_bound_is_told_with_the_last_one() -> None:
    now, before = Measured(cpus={1: BUSY, 2: QUIET}), Measured(cpus={1: QUIET})
    figures = judge(now, LatencyTier.HFT, "none", before)
    beyond = {figure.name for figure in figures if figure.judgement is Judgement.BEYOND}
    assert beyond == {"cpu1.ticks", "cpu1.interrupts", "cpu1.switches", "cpu1.share"}
    assert not holds(figures)
    found = _by_name(figures)
    assert (found["cpu1.ticks"].measured, found["cpu1.ticks"].before) == (249, 0.4)
    assert found["cpu2.ticks"].before is None


def test_times_are_judged_on_bare_metal_and_only_told_in_a_virtual_machine() -> None:
    slow = WakeUp(samples=1000, min_us=2, avg_us=4, max_us=51)
    measured = Measured(cpus={1: BUSY}, wake_up=slow, stolen_us=11)
    metal = _by_name(judge(measured, LatencyTier.HFT, "none"))
    assert metal["wake_up_us"].judgement is Judgement.BEYOND
    assert metal["stolen_us"].judgement is Judgement.BEYOND
    guest = _by_name(judge(measured, LatencyTier.HFT, "kvm"))
    assert guest["wake_up_us"].judgement is Judgement.NOT_JUDGED
    assert guest["wake_up_us"].measured == 51
    assert guest["cpu1.share"].judgement is Judgement.NOT_JUDGED
    assert guest["cpu1.ticks"].judgement is Judgement.BEYOND
    assert "virtual machine (kvm)" in guest["stolen_us"].detail


def test_a_tier_without_isolation_is_told_and_not_judged() -> None:
    figures = judge(Measured(cpus={1: BUSY}), LatencyTier.INTRADAY, "none")
    assert holds(figures)
    assert {f.judgement for f in figures} == {Judgement.NOT_JUDGED, Judgement.NOT_MEASURED}


def test_what_was_not_measured_says_why() -> None:
    why = {"wake_up": "cyclictest is not installed"}
    found = _by_name(judge(Measured(cpus={1: QUIET}, lacks=why), LatencyTier.HFT, "none"))
    assert found["wake_up_us"].detail == "cyclictest is not installed"
    assert found["stolen_us"].detail == "it was not measured"
