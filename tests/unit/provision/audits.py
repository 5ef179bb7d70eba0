"""An audit of two boxes, one of which could not be reached, for the tests of its forms."""

from __future__ import annotations

from datetime import UTC, datetime

from opsctl.model.profile.judge import Change
from opsctl.model.profile.profile import Finding, Verdict
from opsctl.model.tiers import LatencyTier
from opsctl.provision.failing import Failure
from opsctl.provision.results import Audited, AuditedHost, worst

FINDINGS = (
    Finding(setting="sysctl.vm.swappiness", want="0", got="60", verdict=Verdict.DRIFTED),
    Finding(setting="cmdline.isolcpus", want="2-3", got="", verdict=Verdict.REBOOT, detail="later"),
    Finding(setting="sysctl.vm.stat_interval", want="120", got="120", verdict=Verdict.HOLDS),
    Finding(
        setting="sysfs.governor",
        want="performance",
        got="",
        verdict=Verdict.NOT_APPLICABLE,
        detail="a guest has <no> governor",
    ),
)
AT = datetime(2026, 11, 29, 21, 40, tzinfo=UTC)

TUNED = AuditedHost(
    host="ny4-1",
    profile="hft",
    digest="0" * 64,
    verdict="drifted",
    findings=FINDINGS,
    tier=LatencyTier.HFT,
    machine_id="5f1e",
    kernel="6.1.0-28-amd64",
    audited_before=datetime(2026, 11, 28, 21, 40, tzinfo=UTC),
    since=(
        Change(
            setting="sysctl.vm.swappiness",
            before=Verdict.HOLDS,
            after=Verdict.DRIFTED,
            got_before="0",
            got_after="60",
        ),
    ),
)
GONE = AuditedHost(
    host='ny4-"2"',
    profile="hft",
    digest="",
    verdict="failed",
    findings=(),
    failure=Failure(stage="connect", message="nothing listens there", hint="is it up?"),
)


def audited(*hosts: AuditedHost) -> Audited:
    """Return an audit of boxes."""
    return Audited(
        run="20261129T214000000Z-aaaaaa",
        at=AT,
        inventory="/site/inventory.yml",
        verdict=worst(host.verdict for host in hosts),
        hosts=hosts,
        duration_s=3.2,
    )
