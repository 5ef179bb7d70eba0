"""What opsctl writes down about an environment: what was applied, and what it is doing.

`applied.json` is the deployment that runs, `in_progress.json` marks a change that has
begun: found by another command, it says that the one before was killed half-way. Both lie
in the environment's folder; each run's folder keeps its own as `deployment.json`.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from opsctl import __version__, custody
from opsctl.deploy.files import remove, write_whole
from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.model.value import Value
from opsctl.services.base import Service
from opsctl.state import environment_folder

FORMAT = 1
"""The form of these records; raised with every change that an older opsctl would misread."""

DEPLOYMENT = "deployment.json"
"""The name of a run's record in its folder."""


HISTORY, KEPT = "history", 20
"""Where an environment that lives elsewhere has its last deployments, and how many of them."""


class Deployment(Value):
    """What a run had deployed: the environment, its services, and the run before it."""

    format: int = FORMAT
    opsctl: str = __version__
    run: str
    at: datetime
    identity: str
    """The environment's identity: a name that is used again names another environment."""
    environment: Environment
    services: tuple[Service, ...]
    before: str | None = None
    """The run whose deployment a rollback of this one goes back to."""
    restores: str | None = None
    """The run whose deployment a rollback brought back."""


class InProgress(Value):
    """A change that has begun and not ended."""

    format: int = FORMAT
    command: Literal["deploy", "rollback", "env rotate", "destroy"]
    run: str
    at: datetime
    environment: Environment
    keep_data: bool = False


RecordT = TypeVar("RecordT", Deployment, InProgress)


def applied(name: str) -> Deployment | None:
    """Return the deployment that runs; None where nothing was deployed."""
    return read(environment_folder(name) / "applied.json", Deployment)


def in_progress(name: str) -> InProgress | None:
    """Return the change that was begun and not ended; None where there is none."""
    return read(environment_folder(name) / "in_progress.json", InProgress)


def environment(name: str) -> Environment | None:
    """Return the environment of that name as it stands, whatever its file says now.

    None where nothing was deployed, and no deploy was begun.
    """
    found = applied(name) or in_progress(name)
    return found.environment if found else None


def begin(change: InProgress) -> None:
    """Write down that a change begins."""
    path = environment_folder(change.environment.name) / "in_progress.json"
    write_whole(path, change.model_dump_json(indent=2))
    custody.keep(change.environment.name)


def commit(deployment: Deployment, run_folder: Path) -> None:
    """Write down that a deployment runs: first in its run's folder, then as the applied one.

    The change ends (`end`) only when its evidence is written as well.
    """
    text = deployment.model_dump_json(indent=2)
    write_whole(run_folder / DEPLOYMENT, text)
    name = deployment.environment.name
    write_whole(environment_folder(name) / "applied.json", text)
    if custody.elsewhere(name):  # this machine's runs are not known to the next one
        write_whole(environment_folder(name) / HISTORY / f"{deployment.run}.json", text)
        for old in sorted((environment_folder(name) / HISTORY).glob("*.json"))[:-KEPT]:
            remove(old)
        custody.keep(name)


def end(name: str) -> None:
    """Write down that no change is under way."""
    remove(environment_folder(name) / "in_progress.json")
    custody.keep(name)


def forget(name: str) -> None:
    """Write down that nothing is deployed and no change is under way."""
    remove(environment_folder(name) / "applied.json")
    end(name)


def read(path: Path, kind: type[RecordT]) -> RecordT | None:
    """Return a record; None where there is none.

    Raises:
        OpsctlError: it was written by a newer opsctl, or is no record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        form = json.loads(text)["format"]
        if form > FORMAT:
            raise OpsctlError(
                f"{path} was written by a newer opsctl (format {form}; this one knows {FORMAT})",
                hint="use the release of opsctl that deployed this environment, or a later one",
            )
        return kind.model_validate_json(text)
    except (ValueError, KeyError, TypeError, ValidationError) as fault:
        raise OpsctlError(
            f"{path} is damaged: {str(fault).splitlines()[0]}",
            hint="records are written whole, so something else wrote this one; the runs' folders "
            f"keep each deployment as {DEPLOYMENT}: copy the last one back",
        ) from fault
