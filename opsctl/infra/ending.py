"""What is to be known of an environment that ends, written down before any of it is made.

It has no file among those of the project: without this a kill would leave resources in a cloud of
which nobody here knows the account, the end, or where their state is. It lies in the folder of the
stack, and goes with it.
"""

from __future__ import annotations

import shutil

from pydantic import ValidationError

from opsctl.deploy import lock
from opsctl.deploy.files import write_whole
from opsctl.errors import OpsctlError, UsageError
from opsctl.infra.workspace import FOLDER, Workspace
from opsctl.model.environment import Environment
from opsctl.model.value import Value
from opsctl.state import environment_folder

FORMAT = 1
"""The form of the note; raised with every change that an older opsctl would misread."""
FILE = "ephemeral.json"


class Noted(Value):
    """An environment that ends, as it was asked for."""

    format: int = FORMAT
    environment: Environment


def note(environment: Environment) -> None:
    """Write it down, before anything is made.

    Raises:
        UsageError: another environment of that name is written down or has a stack here.
        Locked: another opsctl works on its stack.
    """
    folder = environment_folder(environment.name) / FOLDER
    with lock.held(f"{environment.name}/{FOLDER}", f"opsctl env up --name {environment.name}"):
        refuse_another(environment)
        stack = Workspace(environment=environment.name).settings
        if noted(environment.name) is None and stack.exists():
            raise UsageError(
                f"the name {environment.name} is taken, by a stack that stays",
                hint="choose another name",
            )
        write_whole(folder / FILE, Noted(environment=environment).model_dump_json(indent=2))


def noted(name: str) -> Environment | None:
    """Return the environment of that name that ends; None where nothing says that it does.

    Raises:
        OpsctlError: a newer opsctl wrote it, or it is damaged.
    """
    path = environment_folder(name) / FOLDER / FILE
    try:
        found = Noted.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as fault:
        raise OpsctlError(
            f"{path} is damaged, or of a newer opsctl",
            hint="use the release of opsctl that made this environment, or a later one",
        ) from fault
    return found.environment


def refuse_another(environment: Environment) -> None:
    """Raise a `UsageError` where an environment that ends, and is not this one, has the name."""
    standing = noted(environment.name)
    if standing is not None and standing.ephemeral != environment.ephemeral:
        raise UsageError(
            f"the name {environment.name} is taken: an environment {standing.ephemeral}",
            hint=f"choose another name; or take that one away: opsctl env down {environment.name}",
        )


def forget(name: str) -> None:
    """Remove the folder of a stack that is gone, with what was written down.

    Raises:
        Locked: another opsctl works on it.
    """
    folder = environment_folder(name) / FOLDER
    if not folder.is_dir():
        return
    with lock.held(f"{name}/{FOLDER}", f"opsctl env down {name}"):
        shutil.rmtree(folder)
    if not any(environment_folder(name).iterdir()):
        environment_folder(name).rmdir()
