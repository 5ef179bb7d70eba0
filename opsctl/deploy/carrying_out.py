"""Carries a plan out: apply, health, verify, evidence; or confirms that nothing has to change.

Every step leaves what the next command needs to continue, should this process be killed
right after it: `in_progress.json` is there before the first change and goes only when the
evidence is written, `applied.json` names the last deployment that became healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from opsctl import evidence
from opsctl.deploy import identity, records
from opsctl.deploy.books import Books
from opsctl.deploy.change import Change, Wanted, since
from opsctl.deploy.outcome import Deployed, Taken
from opsctl.deploy.records import Deployment, InProgress
from opsctl.deploy.store import store_of
from opsctl.deploy.update import Recorded
from opsctl.errors import Interrupted, Locked, OpsctlError
from opsctl.model.feasibility import rehearsal
from opsctl.targets.base import Event, Plan

Arguments = Mapping[str, object]


def confirm(wanted: Wanted, change: Change, began: float) -> Deployed:
    """Return that nothing had to change; what is still starting is waited for.

    The tier was measured when the deployment was made: `opsctl verify` measures it again.
    """
    assert wanted.former is not None  # noqa: S101 - it is the same as what is wanted
    running = {seen.key for seen in wanted.target.observe() if seen.state == "running"}
    starting = tuple(service for service in wanted.services if service.key not in running)
    change.await_health(wanted.target, starting)
    return Deployed(
        environment=wanted.environment.name,
        run=wanted.former.run,
        changed=False,
        changes=(),
        services=len(wanted.services),
        rehearsal=rehearsal(wanted.environment),
        duration_s=since(began),
    )


def carry_out(
    wanted: Wanted,
    plan: Plan,
    change: Change,
    began: float,
    arguments: Arguments,
    *,
    verify: bool,
) -> Deployed:
    """Apply a plan, and leave a deployment, its verification and its evidence."""
    name = wanted.environment.name
    wanted.target.preflight(wanted.services)
    me = identity.ensure(name, wanted.target.host.identity)
    committed = False
    try:
        with evidence.recorded(
            command=wanted.command, environment=name, identity=me, arguments=arguments
        ) as run:
            records.begin(
                InProgress(
                    command=wanted.command,
                    run=run.id,
                    at=datetime.now(UTC),
                    environment=wanted.environment,
                )
            )
            run.result = {"changes": [c.model_dump(mode="json") for c in plan.changes]}
            update = Recorded(wanted.environment, wanted.services, wanted.target.host, run.id)
            update.record()
            books = Books(wanted, me)
            steps = _reach_or_restore(wanted, plan, change, update, books)
            deployment = Deployment(
                run=run.id,
                at=datetime.now(UTC),
                identity=me,
                environment=wanted.environment,
                services=wanted.services,
                before=wanted.before,
                restores=wanted.restores.run if wanted.restores else None,
            )
            if not update.over():
                change.progress.say(
                    "the journal does not answer, so that the record of this update stays in it: "
                    "the next command that changes the environment removes it"
                )
            records.commit(deployment, run.folder)
            committed = True
            verification = change.verify(wanted) if verify else None
            result = Deployed(
                environment=name,
                run=run.id,
                changed=True,
                changes=plan.changes,
                steps=steps,
                restores=deployment.restores,
                services=len(wanted.services),
                rehearsal=rehearsal(wanted.environment),
                duration_s=since(began),
                verification=verification,
            )
            run.result = result.model_dump(mode="json")
            run.exit_code = 0 if result.kept else 3
            run.store = store_of(wanted.target)
    finally:
        if committed:  # a verification that fails leaves a whole deployment
            records.end(name)
    return result


def _reach_or_restore(
    wanted: Wanted, plan: Plan, change: Change, update: Recorded, books: Books
) -> tuple[Taken, ...]:
    def heard(event: Event) -> None:
        update.heard(event)
        books.heard(event)

    try:
        return change.reach(wanted, plan, heard)
    except (Interrupted, Locked):
        raise  # the update stays recorded: the next change goes on from here
    except (OpsctlError, OSError) as fault:
        failed = change.restore(wanted, fault)
        if records.in_progress(wanted.environment.name) is None:
            update.over()
        raise failed from fault
