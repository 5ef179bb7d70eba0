"""An ephemeral environment whose hosts a stack declares: the same way as any, and back again.

Nothing of it is protected (`trading:aws.ephemeral`), which only an environment with an end may say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opsctl import infra
from opsctl.deploy.means import Means
from opsctl.deploy.pipeline import Pipeline
from opsctl.deploy.progress import Progress
from opsctl.errors import UsageError
from opsctl.infra import applying, ending, whole
from opsctl.infra.results import Step
from opsctl.model.environment import Environment
from opsctl.toolchain import changes
from opsctl.unfinished import heal


def refuse(environment: Environment, *, accept_host_keys: bool) -> None:
    """Refuse what could not be made in a cloud, or not be used, before anything is made.

    Raises:
        UsageError: with every reason.
        OpsctlError: the account cannot be asked.
    """
    if environment.infrastructure == "none":
        return
    whole.refuse(environment)
    if environment.aws.operators and not accept_host_keys:
        raise UsageError(
            f"hosts of {environment.name} would be reached by SSH (trading:aws.operators), and "
            "nobody can compare keys of hosts that are made now",
            hint="take them as they come: --accept-host-keys; or --set trading:aws.operators=[], "
            "by Session Manager",
        )
    infra.program(environment).facts(())


def deploy(
    environment: Environment,
    means: Means,
    progress: Progress,
    *,
    arguments: Mapping[str, object],
    verify: bool,
    accept_host_keys: bool,
) -> whole.Deployed:
    """Write down that it ends, then make its infrastructure and run its services on it.

    Raises:
        UsageError: its name is taken.
        OpsctlError: a part failed; those before it stand.
    """
    _engine(progress)
    ending.note(environment)
    asked = whole.Asked(accept_host_keys=accept_host_keys, verify=verify, overrides=arguments)
    return whole.deploy(
        environment, asked, Pipeline(means, progress), _heard(means, progress, "deploy")
    )


def remove(environment: Environment, means: Means, progress: Progress, *, why: str) -> str | None:
    """Stop its services and delete what was declared; return the run, None if there was nothing.

    Raises:
        UsageError: the name is another environment's now.
        Locked: another opsctl works on it.
        OpsctlError: something could not be deleted; the rest is gone.
    """
    _engine(progress)
    ending.refuse_another(environment)
    heard = _heard(means, progress, "destroy")
    done = whole.destroy(environment, applying.Asked(why=why), Pipeline(means, progress), heard)
    ending.forget(environment.name)
    return done.run


def _engine(progress: Progress) -> None:
    changes.install(("pulumi",), lambda name, text: progress.say(f"{name}: {text}"))


def _heard(means: Means, progress: Progress, command: str) -> whole.Heard:
    def step(one: Step) -> None:
        took = "" if one.took_s is None else f" ({one.took_s:.1f} s)"
        progress.say(f"{one.action} {one.name}: {one.stage}{took}")

    def mend(placed: Environment) -> None:
        heal(placed, means.open_target, progress.say, command=command)

    return whole.Heard(progress.say, step, _Boxes(progress), mend)


@dataclass(frozen=True)
class _Boxes:
    """Tells how far each host is, a line a stage."""

    progress: Progress

    def say(self, text: str) -> None:
        """Tell a remark."""
        self.progress.say(text)

    def stage(self, host: str, stage: str, detail: str = "") -> None:
        """Tell the stage of a host."""
        self.progress.say(f"{host}: {stage}{f', {detail}' if detail else ''}")

    def task(self, host: str, task: str) -> None:
        """Tell nothing of a single task."""
