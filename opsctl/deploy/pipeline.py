"""The pipeline: what each command observes, refuses, plans and carries out, under one lock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from opsctl import custody, evidence
from opsctl.deploy import identity, records, refusals
from opsctl.deploy.carrying_out import Arguments, carry_out, confirm
from opsctl.deploy.change import Change, Wanted, since
from opsctl.deploy.history import choose, deployments
from opsctl.deploy.interrupt import Interruption
from opsctl.deploy.lock import Lock, held
from opsctl.deploy.means import Means
from opsctl.deploy.outcome import Deployed, Destroyed, Rotated
from opsctl.deploy.progress import Progress
from opsctl.deploy.records import Deployment, InProgress
from opsctl.deploy.rollout import Planned, rollout
from opsctl.errors import Contended, UsageError
from opsctl.model.environment import Environment
from opsctl.state import environment_folder
from opsctl.targets import open_backend
from opsctl.targets.base import difference
from opsctl.targets.rotation import bearing

CHOICES = 8
"""How often something else is chosen where another took it: more than ever begin at once."""


@dataclass(frozen=True)
class Pipeline:
    """Changes environments, each one change at a time, and tells `progress` what it does."""

    means: Means
    progress: Progress

    def plan(self, environment: Environment, *, at_once: bool = False) -> Planned:
        """Return what a deploy would change, and how; changes nothing and takes no lock."""
        former = records.applied(environment.name)
        refusals.other_target(environment, former)
        refusals.other_sites(environment, former)
        refusals.other_books(environment, former)
        target = self.means.open_target(environment)
        running = target.observe()
        wanted = Wanted("deploy", environment, target, target.deployable(), former, at_once=at_once)
        plan = difference(environment.name, wanted.services, running)
        led = None if plan.empty else self.means.order_path.leads(environment, target)
        steps = rollout(wanted.goal, plan.changes, running, led)
        return Planned(environment=environment.name, changes=plan.changes, steps=steps)

    def deploy(
        self,
        environment: Environment,
        *,
        arguments: Arguments,
        verify: bool,
        at_once: bool = False,
    ) -> Deployed:
        """Bring an environment to what it should be, and return what that took.

        Where two sites trade it goes from site to site, and trading goes on, unless `at_once`.

        Raises:
            Locked: another opsctl changes the environment.
            DeployFailed: a service failed; what ran before runs again.
            Interrupted: a signal stopped it at a safe point.
        """
        began = time.monotonic()
        name = environment.name
        refusals.other_target(environment, records.applied(name))
        with self._holding(environment, "deploy") as (_, change):
            former = records.applied(name)
            unfinished = self._unfinished(name)
            if unfinished and unfinished.command == "destroy" and not unfinished.keep_data:
                self._finish(unfinished, change)
                former = None
            refusals.another(environment, records.environment(name))
            refusals.far_release(former)
            refusals.other_target(environment, former)
            refusals.other_sites(environment, former)
            refusals.other_books(environment, former)
            choices = CHOICES
            while True:
                target = self.means.open_target(environment)
                wanted = Wanted(
                    "deploy", environment, target, target.deployable(), former, at_once=at_once
                )
                refusals.foreign(wanted)
                plan = difference(name, wanted.services, target.observe())
                self.progress.planned(plan)
                if plan.empty and wanted.same and unfinished is None:
                    return confirm(wanted, change, began)
                try:
                    return carry_out(wanted, plan, change, began, arguments, verify=verify)
                except Contended as taken:
                    if not (choices := choices - 1):
                        raise
                    self.progress.say(f"{taken.message}: choosing again")

    def rollback(
        self,
        name: str,
        *,
        to: str | None,
        arguments: Arguments,
        verify: bool,
        at_once: bool = False,
    ) -> Deployed:
        """Go back to what an earlier run had deployed, and return what that took.

        Without `to` that is the deployment before the current one; where a change was
        killed half-way, it is the current one itself.

        Raises:
            Locked: another opsctl changes the environment.
            UsageError: nothing is deployed, or there is no such run.
            DeployFailed: a service failed; what ran before the rollback runs again.
            Interrupted: a signal stopped it at a safe point.
        """
        began = time.monotonic()
        standing = records.environment(name)
        if standing is None:
            raise UsageError(f"{name} is not deployed", hint=f"opsctl deploy {name}")
        with self._holding(standing, "rollback") as (_, change):
            former = _applied(name)
            half_done = self._unfinished(name) is not None
            earlier = deployments(name, former.identity)
            chosen = choose(former, earlier, to, half_done=half_done)
            target = self.means.open_target(chosen.environment)
            wanted = Wanted(
                "rollback",
                chosen.environment,
                target,
                chosen.services,
                former,
                restores=chosen,
                at_once=at_once,
            )
            refusals.foreign(wanted)
            plan = difference(name, wanted.services, target.observe())
            self.progress.planned(plan)
            return carry_out(wanted, plan, change, began, arguments, verify=verify)

    def rotate(self, environment: Environment, *, arguments: Arguments) -> Rotated:
        """Change an environment's certificate authority for another, step by step.

        Every step is a change of its own: those services start anew that use a certificate,
        from site to site where two of them trade. What was killed on the way is continued.

        Raises:
            Locked: another opsctl changes the environment.
            UsageError: nothing is deployed, or a deploy did not come to its end.
            DeployFailed: a service failed; the others accept it as it was and as it is to be.
            Interrupted: a signal stopped it at a safe point.
        """
        began = time.monotonic()
        name = environment.name
        runs: list[str] = []
        with self._holding(environment, "env rotate") as (_, change):
            former = _applied(name)
            unfinished = self._unfinished(name)
            if unfinished and unfinished.command != "env rotate":
                raise UsageError(
                    f"the {unfinished.command} of {name} did not come to its end",
                    hint=f"opsctl {unfinished.command} {name} first",
                )
            target = self.means.open_target(former.environment)
            rotation = target.rotation
            begun = rotation.under_way or unfinished is not None
            while True:
                services = bearing(former.services, rotation.generation)
                wanted = Wanted("env rotate", former.environment, target, services, former)
                refusals.foreign(wanted)
                plan = difference(name, services, target.observe())
                if not plan.empty or unfinished is not None:
                    self.progress.planned(plan)
                    done = carry_out(wanted, plan, change, began, arguments, verify=False)
                    runs.append(done.run)
                    former, unfinished = _applied(name), None
                if begun and not rotation.under_way:
                    break
                self.progress.say(f"every certificate {rotation.advance()}")
                begun = True
        return Rotated(
            environment=name, runs=tuple(runs), expires=rotation.expires, duration_s=since(began)
        )

    def destroy(
        self, environment: Environment, *, keep_data: bool, arguments: Arguments
    ) -> Destroyed:
        """Stop an environment and remove it; the evidence stays, and data where asked.

        Raises:
            Locked: another opsctl changes the environment.
            Interrupted: a signal stopped it at a safe point.
        """
        began = time.monotonic()
        name = environment.name
        if not environment_folder(name).is_dir():
            return Destroyed(
                environment=name, run=None, stopped=(), kept_data=False, duration_s=since(began)
            )
        with self._holding(environment, "destroy") as (lock, change):
            # A newer opsctl's records are refused here, before anything is stopped.
            former = records.applied(name)
            refusals.another(environment, records.environment(name))
            self._unfinished(name)
            with evidence.recorded(
                command="destroy",
                environment=name,
                identity=former.identity if former else identity.known(name),
                arguments=arguments,
            ) as run:
                records.begin(
                    InProgress(
                        command="destroy",
                        run=run.id,
                        at=datetime.now(UTC),
                        environment=environment,
                        keep_data=keep_data,
                    )
                )
                target = self.means.open_target(environment)
                stopped = change.remove(target, keep_data=keep_data)
                run.result = {"stopped": list(stopped), "kept_data": keep_data}
            records.forget(name)
            if not keep_data:
                _leave_nothing(name, lock)
        return Destroyed(
            environment=name,
            run=run.id,
            stopped=stopped,
            kept_data=keep_data,
            duration_s=since(began),
        )

    @contextmanager
    def _holding(self, environment: Environment, command: str) -> Iterator[tuple[Lock, Change]]:
        name = environment.name
        backend = open_backend(environment)
        with (
            held(name, f"opsctl {command} {name}", backend) as lock,
            Interruption(self.progress.say) as interruption,
        ):
            for fork in custody.forks(name):
                self.progress.say(f"the evidence of this machine is not whole: {fork}")
            still = partial(custody.check, name)
            yield lock, Change(self.means, self.progress, interruption, still)

    def _unfinished(self, name: str) -> InProgress | None:
        """Return the change that was begun and not ended, and say that it is continued."""
        found = records.in_progress(name)
        if found:
            self.progress.say(
                f"the {found.command} of {found.at:%Y-%m-%dT%H:%M:%SZ} (run {found.run}) "
                "did not come to its end; continuing from where it stopped"
            )
        return found

    def _finish(self, unfinished: InProgress, change: Change) -> None:
        """Bring a destroy to its end: what it left half-removed is of no use to a deploy."""
        target = self.means.open_target(unfinished.environment)
        change.remove(target, keep_data=False)
        records.forget(unfinished.environment.name)
        identity.forget(unfinished.environment.name)


def _applied(name: str) -> Deployment:
    found = records.applied(name)
    if found is None:
        raise UsageError(f"{name} is not deployed", hint=f"opsctl deploy {name}")
    return found


def _leave_nothing(name: str, lock: Lock) -> None:
    """Remove what this package keeps of an environment, the lock last, and the empty folder."""
    identity.forget(name)
    custody.disown(name)
    lock.remove()
    try:
        environment_folder(name).rmdir()
    except OSError:  # not empty: another opsctl has begun anew, or a stranger's file is there
        return
