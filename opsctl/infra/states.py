"""Exported states: written to files, read back with care, put in the place of a stack's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opsctl.deploy.files import write_whole
from opsctl.errors import OpsctlError, UsageError
from opsctl.infra.results import StackExported, StackImported

if TYPE_CHECKING:
    from opsctl.infra.engine import Engine

VERSIONS = (3, 4)
"""The forms of an exported state that the engine reads."""
KEPT = "before-import-{at}.json"


def export(environment: str, engine: Engine, file: Path) -> StackExported:
    """Write the state of a stack into a file, readable by its owner alone."""
    state = engine.export()
    file = file.expanduser().absolute()
    text = json.dumps(state, indent=1)
    write_whole(file, text)
    deployment = state["deployment"] or {}
    return StackExported(
        environment=environment,
        file=file,
        resources=len(deployment.get("resources") or ()),
        pending=len(deployment.get("pending_operations") or ()),
        bytes=len(text.encode()),
    )


def read(environment: str, file: Path) -> dict[str, Any]:
    """Return an exported state of this environment.

    Raises:
        UsageError: the file is none, or of another environment.
    """
    try:
        state = json.loads(file.expanduser().read_bytes())
    except OSError as fault:
        raise UsageError(
            f"{file} cannot be read: {fault.strerror}", hint="name a file of `opsctl stack export`"
        ) from fault
    except ValueError as fault:
        raise UsageError(
            f"{file} is no exported state: it is no JSON",
            hint="name a file of `opsctl stack export`",
        ) from fault
    deployment = state.get("deployment") if isinstance(state, dict) else None
    if not isinstance(deployment, dict) or state.get("version") not in VERSIONS:
        raise UsageError(
            f"{file} is no exported state of a version that the engine reads "
            f"({', '.join(map(str, VERSIONS))})",
            hint="name a file of `opsctl stack export`",
        )
    for resource in deployment.get("resources") or ():
        stack = str(resource.get("urn", "")).removeprefix("urn:pulumi:").partition("::")[0]
        if stack != environment:
            raise UsageError(
                f"{file} is a state of {stack or 'nothing'}, not of {environment}",
                hint="name a file that was exported of this environment",
            )
    return {"version": state["version"], "deployment": deployment}


def replace(environment: str, engine: Engine, state: dict[str, Any], file: Path) -> StackImported:
    """Put a state in the place of the stack's, and keep what it was in a file beside it."""
    kept: Path | None = None
    try:
        before = engine.export()
    except (UsageError, OpsctlError):  # none yet, or one that nobody can read
        before = None
    if before is not None:
        at = datetime.now(UTC)
        kept = engine.workspace.folder / KEPT.format(at=f"{at:%Y%m%dT%H%M%SZ}")
        write_whole(kept, json.dumps(before, indent=1))
    engine.import_(state)
    return StackImported(
        environment=environment,
        file=file.expanduser().absolute(),
        resources=len(state["deployment"].get("resources") or ()),
        before=kept,
    )
