"""What the findings of a box come to, with what was counted on its trading CPUs."""

from __future__ import annotations

import pytest

from opsctl.model.profile.profile import Finding, Verdict
from opsctl.model.profile.resolve import profile_for
from opsctl.model.tiers import LatencyTier
from opsctl.provision.auditing import audited
from opsctl.provision.latency import Figure, Judgement
from opsctl.provision.reading import Seen
from tests.support.boxes import box
from tests.unit.provision.test_failing import HOST


@pytest.mark.parametrize(
    ("found", "counted", "verdict"),
    [
        (Verdict.HOLDS, Judgement.WITHIN, "holds"),
        (Verdict.HOLDS, Judgement.NOT_MEASURED, "holds"),
        (Verdict.HOLDS, Judgement.BEYOND, "drifted"),
        (Verdict.REBOOT, Judgement.WITHIN, "reboot"),
        (Verdict.REBOOT, Judgement.BEYOND, "drifted"),
    ],
)
def test_cpus_that_are_disturbed_are_a_box_that_does_not_hold(
    found: Verdict, counted: Judgement, verdict: str
) -> None:
    server = box()
    seen = Seen(HOST, server, profile_for(server, LatencyTier.HFT), ())
    finding = Finding(setting="sysctl.vm.swappiness", want="0", got="0", verdict=found)
    figure = Figure(name="cpu1.ticks", measured=9.0, bound=2.0, judgement=counted)
    result = audited(seen, (finding,), None, (figure,))
    assert result.verdict == verdict
    assert (result.profile, result.latency) == ("hft", (figure,))
    assert result.digest == seen.profile.digest()
