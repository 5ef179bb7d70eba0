"""`opsctl provision`: read boxes, plan, apply the profile of each, reboot where allowed, audit."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from opsctl import evidence
from opsctl.deploy.interrupt import Interruption
from opsctl.errors import OpsctlError
from opsctl.model.profile.judge import judge
from opsctl.model.profile.profile import Finding, Profile, Verdict
from opsctl.model.profile.variable import NAME, settings_by_means
from opsctl.model.tiers import LatencyTier
from opsctl.provision import draining, holding, keeping, recording
from opsctl.provision.failing import Failure, failure
from opsctl.provision.playing import Played, become_password
from opsctl.provision.progress import Progress
from opsctl.provision.reading import Seen, of_error, read
from opsctl.provision.results import Difference, Held, Outcome, Provisioned, ProvisionedHost, held
from opsctl.provision.session import BECOME_PASSWORD, Reach, Selection, Session, select
from opsctl.provision.standing import environments

APPLY, ROLLBACK = "provision.yml", "rollback.yml"
REBOOT_TIMEOUT_S = 600
"""A box that is not back by then is reported, with how to recover."""

Mode = Literal["check", "apply", "rollback"]
Go = Callable[[Sequence[ProvisionedHost]], None]
"""Is shown the plan before anything is changed, and raises where it shall not be."""


@dataclass(frozen=True)
class Asked:
    """What to do, and on which boxes."""

    reach: Reach
    names: Sequence[str] = ()
    tier: LatencyTier | None = None
    profile: str | None = None
    mode: Mode = "apply"
    reboot: bool = False
    drain: bool = False
    reboot_timeout_s: int = REBOOT_TIMEOUT_S


@dataclass
class _Box:
    """One box on its way."""

    seen: Seen
    findings: tuple[Finding, ...]
    continues: str = ""
    drained: bool = False
    tasks: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    outcome: Outcome = "planned"
    after: Held | None = None


@dataclass
class _Work:
    """The work of one run."""

    asked: Asked
    session: Session
    run: str
    progress: Progress
    boxes: dict[str, _Box] = field(default_factory=dict)


def provision(
    asked: Asked, progress: Progress, go: Go, selection: Selection | None = None
) -> Provisioned:
    """Provision boxes, leave evidence, and return what became of each.

    What goes wrong on one box ends with that box; the others go on. A `selection` is of boxes
    that no inventory of a person's names.

    Raises:
        UsageError: of the inventory, a name, a tier or a profile.
        Locked: another opsctl works on one of the boxes.
        Interrupted: a signal came; the next run continues.
    """
    if selection is None:
        selection = select(asked.reach, asked.names, asked.tier, asked.profile)
    arguments = {
        "hosts": list(selection.boxes),
        "inventory": selection.inventory.file,
        "profile": asked.profile or "",
        "mode": asked.mode,
        "reboot": asked.reboot,
        "drain": asked.drain,
    }
    with (
        become_password(BECOME_PASSWORD, asked.reach.become_password_file) as password,
        holding.held(selection.boxes, f"opsctl provision {' '.join(selection.boxes)}"),
        evidence.recorded(command="provision", arguments=arguments) as run,
        Interruption(progress.say) as interruption,
    ):
        began = time.monotonic()
        session = Session(run.folder, selection, asked.reach, progress, interruption, password)
        work = _Work(asked, session, run.id, progress)
        _through(work, selection, go)
        found = Provisioned(
            run=run.id,
            at=datetime.now(UTC),
            inventory=selection.inventory.file,
            mode=asked.mode,
            hosts=tuple(_result(work, selection, name) for name in selection.boxes),
            duration_s=round(time.monotonic() - began, 3),
        )
        run.result = recording.keep(found, run.folder)
        run.exit_code = exit_code(found)
    return found


def exit_code(found: Provisioned) -> int:
    """Return 1 where a box failed, 3 where something does not hold all the same, else 0."""
    outcomes = {host.outcome for host in found.hosts}
    return 1 if "failed" in outcomes else 3 if outcomes & {"drifted", "unreadable"} else 0


def _through(work: _Work, selection: Selection, go: Go) -> None:
    session, progress = work.session, work.progress
    session.begin()
    known = read(session.left, session.run)
    session.failed(known.failures)
    for name, seen in known.seen.items():
        begun = holding.left(name) if work.asked.mode != "check" else None
        findings = judge(seen.profile, seen.readings)
        work.boxes[name] = _Box(seen, findings, continues=begun.run if begun else "")
    session.failed(_twice(work))
    for name in session.left:
        progress.stage(name, "plan", _counted(work.boxes[name].findings))
    go(tuple(_result(work, selection, name) for name in session.left))
    if work.asked.drain and work.asked.mode != "check":
        _drain(work)
    _play(work)


def _twice(work: _Work) -> dict[str, Failure]:
    """Return a failure for each of several boxes that are one machine."""
    machines: defaultdict[str, list[str]] = defaultdict(list)
    for name, box in work.boxes.items():
        machines[box.seen.box.machine_id].append(name)
    return {
        name: Failure(
            stage="read",
            message=f"{' and '.join(names)} are one machine: machine-id {machine}",
            hint="name it once; of machines that were cloned: rm /etc/machine-id, "
            "then systemd-machine-id-setup",
        )
        for machine, names in machines.items()
        if len(names) > 1
        for name in names
    }


def _drain(work: _Work) -> None:
    known = environments()
    for name, (host, _) in work.session.left.items():
        work.progress.stage(name, "drain")
        try:
            done = draining.drain(host, known, work.progress.say)
        except OpsctlError as error:
            work.session.failed({name: of_error("drain", error)})
            continue
        work.boxes[name].drained = True
        for one in done:
            work.progress.stage(name, "drain", one)


def _play(work: _Work) -> None:
    """Apply, check or roll back what is left, and look at it afterwards."""
    session, mode = work.session, work.asked.mode
    names = tuple(session.left)
    if not names:
        return
    for name in names:
        session.progress.stage(name, mode)
        if mode != "check":
            holding.begin(name, work.run, f"provision ({mode})", mode)
    played = session.run(
        ROLLBACK if mode == "rollback" else APPLY,
        {name: _variables(work, work.boxes[name]) for name in names},
        check=mode == "check",
        keep=True,
    )
    _note(work, names, played)
    if mode == "check":
        return
    if mode == "apply":
        _look_again(work)
    for name in session.left:
        if mode == "rollback":
            work.boxes[name].outcome = "rolled_back"
            keeping.forget(work.boxes[name].seen.box.machine_id)
        holding.end(name)
        session.progress.stage(name, work.boxes[name].outcome)


def _note(work: _Work, names: Iterable[str], played: Played) -> None:
    boxes = work.session.selection.boxes
    for name in names:
        work.boxes[name].tasks = played.changed.get(name, ())
        work.boxes[name].applied = played.settings.get(name, ())
        if name in played.failures:
            stage = work.asked.mode
            found = failure(stage, played.failures[name], boxes[name][0])
            work.session.failed({name: found})


def _look_again(work: _Work) -> None:
    """Audit what was applied: a setting that was written is not a setting that holds."""
    session = work.session
    for name in session.left:
        session.progress.stage(name, "audit")
    known = read(session.left, session.run, stage="audit")
    session.failed(known.failures)
    for name, seen in known.seen.items():
        findings = judge(seen.profile, seen.readings)
        box = work.boxes[name]
        box.after = held(findings)
        box.outcome = _outcome(box)
        keeping.keep(
            seen.box.machine_id,
            keeping.Kept(
                at=datetime.now(UTC),
                run=work.run,
                host=name,
                profile=seen.profile.name,
                digest=seen.profile.digest(),
                findings=findings,
            ),
        )


def _outcome(box: _Box) -> Outcome:
    verdict = box.after.verdict if box.after else "holds"
    if verdict in ("drifted", "unreadable"):
        return verdict
    if verdict == "reboot":
        return "reboot_pending"
    return "changed" if box.tasks else "unchanged"


def _variables(work: _Work, box: _Box) -> dict[str, object]:
    return {
        NAME: settings_by_means(box.seen.profile),
        "opsctl_owner": box.seen.host.owner,
        "opsctl_drained": box.drained,
        "opsctl_reboot": work.asked.reboot,
        "opsctl_reboot_timeout_s": work.asked.reboot_timeout_s,
    }


def changes(profile: Profile, findings: Iterable[Finding]) -> tuple[Difference, ...]:
    """Return what provisioning changes: the settings that apply and do not hold."""
    boot = {setting.id: setting.boot for setting in profile.settings}
    return tuple(
        Difference(
            setting=one.setting, want=one.want, got=one.got, boot=boot.get(one.setting, False)
        )
        for one in findings
        if one.verdict in (Verdict.DRIFTED, Verdict.UNREADABLE)
    )


def _counted(findings: Sequence[Finding]) -> str:
    differ = sum(f.verdict in (Verdict.DRIFTED, Verdict.UNREADABLE) for f in findings)
    waiting = sum(f.verdict is Verdict.REBOOT for f in findings)
    said = f"{differ} of {len(findings)} settings differ"
    return f"{said}, {waiting} wait for a reboot" if waiting else said


def _result(work: _Work, selection: Selection, name: str) -> ProvisionedHost:
    _, profile = selection.boxes[name]
    box, failed = work.boxes.get(name), work.session.failures.get(name)
    if box is None:
        return ProvisionedHost(
            host=name, outcome="failed", profile=profile.name, tier=profile.tier, failure=failed
        )
    return ProvisionedHost(
        host=name,
        outcome="failed" if failed else box.outcome,
        profile=box.seen.profile.name,
        tier=box.seen.profile.tier,
        digest=box.seen.profile.digest(),
        machine_id=box.seen.box.machine_id,
        layout=box.seen.profile.layout,
        changes=changes(box.seen.profile, box.findings),
        tasks=box.tasks,
        applied=box.applied,
        continues=box.continues,
        before=held(box.findings),
        after=box.after,
        failure=failed,
    )
