"""Taking one ephemeral environment away, whoever made it and however far that came."""

from __future__ import annotations

from opsctl.deploy.means import Means
from opsctl.deploy.pipeline import Pipeline
from opsctl.deploy.progress import Progress
from opsctl.ephemeral import cloud
from opsctl.model.environment import Environment
from opsctl.unfinished import heal


def remove(environment: Environment, means: Means, progress: Progress, *, why: str) -> str | None:
    """Destroy an environment with its data; return the run, None where nothing was there.

    What a killed drill broke is healed first. Nothing that bears the name meanwhile and is
    another environment is touched.

    Raises:
        UsageError: the name is another environment's now.
        Locked: another opsctl works on it.
    """
    if environment.infrastructure != "none":
        return cloud.remove(environment, means, progress, why=why)
    heal(environment, means.open_target, progress.say, command="destroy")
    pipeline = Pipeline(means, progress)
    return pipeline.destroy(environment, keep_data=False, arguments={"why": why}).run
