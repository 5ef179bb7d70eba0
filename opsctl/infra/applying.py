"""Making, and taking away, the infrastructure of an environment, with evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from opsctl import evidence
from opsctl.deploy import identity
from opsctl.errors import OpsctlError, UsageError
from opsctl.infra import ending, guardrails, open_engine, planning, program
from opsctl.infra.declared import Declared
from opsctl.infra.engine import Engine
from opsctl.infra.guardrails import Judged, Verdict
from opsctl.infra.planning import Change
from opsctl.infra.prechecks import Known, Precheck
from opsctl.infra.previewed import Action, Preview
from opsctl.infra.releasing import release
from opsctl.infra.results import Output, Step
from opsctl.model.environment import Environment
from opsctl.model.value import Value

Say = Callable[[str], None]
Told = Callable[[Step], None]
MOST = 12
"""Findings or resources that an error names."""


@dataclass(frozen=True)
class Asked:
    """What may be done to what holds data, and to what somebody changed."""

    replace_data: Sequence[str] = ()
    """Resources that hold data and may be replaced or deleted."""
    overwrite_drift: bool = False
    """Whether what somebody changed by hand is made as it is declared."""
    max_deletions: int | None = None
    """How many resources may be replaced or deleted; None: as many as the guardrail allows."""
    why: str = ""
    """What nobody asked for by hand says why it is done."""

    @property
    def arguments(self) -> Mapping[str, object]:
        """As the evidence has them."""
        return {
            "replace_data": list(self.replace_data),
            "overwrite_drift": self.overwrite_drift,
            "max_deletions": self.max_deletions,
            **({"why": self.why} if self.why else {}),
        }


class InfrastructureDeployed(Value):
    """The result of `opsctl deploy --only infrastructure`."""

    environment: str
    run: str
    changes: tuple[Change, ...]
    unchanged: int
    outputs: dict[str, Output]
    unmet: tuple[str, ...]
    """Why a tier is not met by what is declared."""
    guardrails: Judged
    """Of what is there now."""
    duration_s: float


class InfrastructureDestroyed(Value):
    """The result of `opsctl destroy` of an environment that declares infrastructure."""

    environment: str
    run: str | None
    """None where there was nothing."""
    deleted: tuple[str, ...]
    stopped: tuple[str, ...] = ()
    """The services that were stopped before."""
    duration_s: float


@dataclass(frozen=True)
class _Work:
    """What one command works with."""

    environment: Environment
    asked: Asked
    say: Say
    declared: Declared
    engine: Engine

    @classmethod
    def on(cls, environment: Environment, asked: Asked, say: Say) -> _Work:
        declared = program(environment)
        return cls(environment, asked, say, declared, open_engine(declared, say))

    def judged(self, seen: Preview, replace_data: Sequence[str] = ()) -> Judged:
        facts = self.declared.allowing(replace_data, self.asked.max_deletions)
        return guardrails.judge(seen, facts, self.declared.waivers)


def deploy(
    environment: Environment, asked: Asked, say: Say, on_step: Told
) -> InfrastructureDeployed:
    """Make what an environment declares, and return what that took.

    Raises:
        UsageError: what its file asks for cannot be, or a waiver of it cannot stand.
        OpsctlError: guardrails refuse it, somebody changed what would be overwritten, the
            account cannot be asked, or the engine failed.
        Locked: another opsctl changes it.
        Interrupted: a signal stopped it; what was made is in the state.
    """
    began = time.monotonic()
    ending.refuse_another(environment)
    work = _Work.on(environment, asked, say)
    work.declared.facts(asked.replace_data)  # refuses what cannot be, before the engine is started
    _not_drifted(work)
    with work.engine.letting_go(asked.replace_data) as going:
        say("what would be changed is judged")
        seen = work.engine.preview(work.declared.program)
        _not_refused(environment, work.judged(seen, asked.replace_data))
        _allowed(environment, work.declared.prechecks(seen))
        return _made(work, going, on_step, began)


def _made(
    work: _Work, going: Collection[str], on_step: Told, began: float
) -> InfrastructureDeployed:
    """Make it, with evidence; `going` are the URNs of what may be replaced or deleted."""
    environment, asked = work.environment, work.asked
    with evidence.recorded(
        command="deploy",
        environment=environment.name,
        identity=identity.known(environment.name),
        arguments={"only": "infrastructure", **asked.arguments},
    ) as run:
        _released(work, going)
        done = work.engine.up(
            work.declared.program,
            on_step,
            refresh=asked.overwrite_drift and work.engine.exists,
            keep_going=work.declared.keep_going,
        )
        after = work.judged(Preview(environment=environment.name, resources=done.there))
        found = InfrastructureDeployed(
            environment=environment.name,
            run=run.id,
            changes=tuple(map(planning.change, done.changes)),
            unchanged=done.unchanged,
            outputs=done.outputs,
            unmet=work.declared.unmet(),
            guardrails=after,
            duration_s=round(time.monotonic() - began, 3),
        )
        run.result = found.model_dump(mode="json", exclude={"outputs"})
        run.exit_code = exit_code(found)
    return found


def exit_code(found: InfrastructureDeployed) -> int:
    """Return 3 where what is there does not keep to the guardrails, else 0."""
    return 0 if found.guardrails.verdict is Verdict.PASSED else 3


def destroy(
    environment: Environment,
    asked: Asked,
    say: Say,
    on_step: Told,
    stop: Callable[[], Sequence[str]] = tuple,
) -> InfrastructureDestroyed:
    """Delete everything that an environment declared, and return what that was.

    `stop` ends what runs on it, once it is certain that it may be deleted.

    Raises:
        OpsctlError: something holds data and was not named, or the engine failed.
    """
    began = time.monotonic()
    work = _Work.on(environment, asked, say)
    if not work.engine.exists:
        return InfrastructureDestroyed(
            environment=environment.name, run=None, deleted=(), duration_s=0.0
        )
    kept = work.engine.protected()
    _named(environment, kept.values(), asked.replace_data)
    stopped = tuple(stop())
    with evidence.recorded(
        command="destroy",
        environment=environment.name,
        identity=identity.known(environment.name),
        arguments=asked.arguments,
    ) as run:
        _released(work, kept)
        work.engine.unprotect(tuple(kept))
        done = work.engine.destroy(on_step, forget=True)
        found = InfrastructureDestroyed(
            environment=environment.name,
            run=run.id,
            deleted=tuple(one.name for one in done.changes if one.action is Action.DELETE),
            stopped=stopped,
            duration_s=round(time.monotonic() - began, 3),
        )
        run.result = found.model_dump(mode="json")
    return found


def _released(work: _Work, urns: Collection[str]) -> None:
    """Take away what AWS itself protects resources by."""
    if urns:
        release(work.engine.export()["deployment"].get("resources") or (), urns)


def _not_refused(environment: Environment, found: Judged) -> None:
    if found.verdict is not Verdict.REFUSED:
        return
    against = [one for one in found.findings if one.stands and not one.unknown]
    said = [f"{one.rule} {one.resource}: {one.problem}. {one.comply}" for one in against[:MOST]]
    if len(against) > MOST:
        said.append(f"and {len(against) - MOST} more")
    raise OpsctlError(
        f"guardrails refuse the change of {environment.name}; nothing was changed",
        details=said,
        hint=f"comply, or waive it in its file with reason, owner and expiry; "
        f"opsctl plan {environment.name} shows all",
    )


def _allowed(environment: Environment, found: Sequence[Precheck]) -> None:
    """Refuse what the account would refuse half-way."""
    against = [one for one in found if one.verdict is Known.REFUSED]
    if against:
        raise OpsctlError(
            f"the account does not allow what {environment.name} needs; nothing was changed",
            details=[f"{one.check} {one.subject}: {one.problem}" for one in against[:MOST]],
            hint=against[0].comply,
        )


def _not_drifted(work: _Work) -> None:
    """Refuse to overwrite what somebody changed by hand, unless that was asked for."""
    if work.asked.overwrite_drift or not work.engine.exists:
        return
    work.say("what is there is compared with what was declared")
    drifted = work.engine.drift().changes
    if not drifted:
        return
    said = [f"{one.name}: {planning.drifted(one)}" for one in drifted[:MOST]]
    if len(drifted) > MOST:
        said.append(f"and {len(drifted) - MOST} more")
    raise OpsctlError(
        f"{work.environment.name} is not as it was declared last; nothing was changed",
        details=said,
        hint="declare it so, or make it as declared: "
        f"opsctl deploy {work.environment.name} --only infrastructure --overwrite-drift",
    )


def _named(environment: Environment, kept: Collection[str], named: Sequence[str]) -> None:
    """Refuse to delete what holds data and was not named."""
    unknown = sorted(set(named) - set(kept))
    if unknown:
        raise UsageError(
            f"--replace-data {unknown[0]}: nothing of that name holds data in {environment.name}",
            hint=f"those that do: {', '.join(sorted(kept)) or 'none'}",
        )
    left = sorted(set(kept) - set(named))
    if left:
        words = " ".join(f"--replace-data {name}" for name in left)
        raise OpsctlError(
            f"{environment.name} holds data that would be deleted; nothing was changed",
            details=left,
            hint=f"if you mean it: opsctl destroy {environment.name} {words}",
        )
