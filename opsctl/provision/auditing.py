"""`opsctl audit host`: read every setting back, judge it, say what is different since."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from opsctl import evidence
from opsctl.deploy.interrupt import Interruption
from opsctl.model.profile.judge import judge
from opsctl.model.profile.profile import Finding
from opsctl.model.tiers import LatencyTier
from opsctl.provision import keeping, measuring, recording, reporting
from opsctl.provision.failing import Failure
from opsctl.provision.latency import Figure, holds
from opsctl.provision.playing import become_password
from opsctl.provision.progress import Progress
from opsctl.provision.reading import Seen, read
from opsctl.provision.results import Audited, AuditedHost, worst
from opsctl.provision.session import BECOME_PASSWORD, Reach, Selection, Session, select

EXIT = {"holds": 0, "drifted": 3, "unreadable": 3, "reboot": 3, "failed": 1}
"""Exit codes by the verdict of all boxes: what could not be audited outweighs what drifted."""


@dataclass(frozen=True)
class Asked:
    """What to audit."""

    reach: Reach
    names: Sequence[str] = ()
    tier: LatencyTier | None = None
    profile: str | None = None
    latency: bool = False
    """Whether to count what disturbs the trading CPUs; it takes them for some seconds."""


def audit(asked: Asked, progress: Progress) -> Audited:
    """Audit boxes, leave evidence and a report, and return what was found.

    Raises:
        UsageError: of the inventory, a name, a tier or a profile.
        ToolMissing: Ansible or OpenSSH is not installed.
        Interrupted: a signal came.
    """
    selection = select(asked.reach, asked.names, asked.tier, asked.profile)
    arguments = {
        "hosts": list(selection.boxes),
        "inventory": selection.inventory.file,
        "profile": asked.profile or "",
    }
    with (
        become_password(BECOME_PASSWORD, asked.reach.become_password_file) as password,
        evidence.recorded(command="audit host", arguments=arguments) as run,
        Interruption(progress.say) as interruption,
    ):
        began = time.monotonic()
        session = Session(run.folder, selection, asked.reach, progress, interruption, password)
        hosts = _audited(session, selection, run.id, latency=asked.latency)
        found = Audited(
            run=run.id,
            at=datetime.now(UTC),
            inventory=selection.inventory.file,
            verdict=worst(host.verdict for host in hosts),
            hosts=hosts,
            duration_s=round(time.monotonic() - began, 3),
        )
        found = reporting.write(found, run.folder)
        run.result = recording.keep(found, run.folder)
        run.exit_code = EXIT[found.verdict]
    return found


def _audited(
    session: Session, selection: Selection, run: str, *, latency: bool
) -> tuple[AuditedHost, ...]:
    session.begin()
    known = read(session.left, session.run)
    session.failed(known.failures)
    figures = measuring.measure(session, known.seen) if latency else {}
    return tuple(
        _of_box(known.seen[name], session, run, figures.get(name, ()))
        if name in session.left
        else _unaudited(name, selection, session.failures[name])
        for name in selection.boxes
    )


def _of_box(seen: Seen, session: Session, run: str, figures: tuple[Figure, ...]) -> AuditedHost:
    findings = judge(seen.profile, seen.readings)
    last = keeping.before(seen.box.machine_id)
    found = audited(seen, findings, last, figures)
    kept = keeping.Kept(
        at=datetime.now(UTC),
        run=run,
        host=found.host,
        profile=found.profile,
        digest=found.digest,
        findings=findings,
    )
    keeping.keep(seen.box.machine_id, kept)
    session.progress.stage(found.host, found.verdict)
    return found


def audited(
    seen: Seen,
    findings: tuple[Finding, ...],
    last: keeping.Kept | None,
    figures: tuple[Figure, ...] = (),
) -> AuditedHost:
    """Return what the findings of a box come to, beside the audit before.

    CPUs that are disturbed beyond the bound are a box that is not as its profile wants it.
    """
    beyond = () if holds(figures) else ("drifted",)
    return AuditedHost(
        host=seen.host.name,
        profile=seen.profile.name,
        tier=seen.profile.tier,
        digest=seen.profile.digest(),
        verdict=worst((*(finding.verdict for finding in findings), *beyond)),
        findings=findings,
        machine_id=seen.box.machine_id,
        kernel=seen.box.kernel,
        audited_before=last.at if last else None,
        since=keeping.since(last, findings),
        latency=figures,
    )


def _unaudited(name: str, selection: Selection, failure: Failure) -> AuditedHost:
    _, profile = selection.boxes[name]
    return AuditedHost(
        host=name,
        profile=profile.name,
        tier=profile.tier,
        digest="",
        verdict="failed",
        findings=(),
        failure=failure,
    )
