"""Runs the engine in a process of its own, as a command does, for tests that kill it.

python -m tests.integration.infra.driver up ENV FOLDER NAME=TEXT... [--as NAME=FILE]
python -m tests.integration.infra.driver destroy ENV FOLDER
python -m tests.integration.infra.driver stack FOLDER WORD...     (`opsctl stack WORD...`)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from opsctl import infra
from opsctl.cli import main as command_line
from opsctl.errors import OpsctlError
from opsctl.infra.guardrails import Facts
from opsctl.infra.pending import Operation
from opsctl.infra.results import Step
from opsctl.infra.workspace import Workspace
from tests.integration.infra.files import declared

BACKEND = "TEST_BACKEND"
"""The variable that names the bucket of the state."""


def lookup(operation: Operation) -> str | None:
    """Return the newest file that an operation may have made."""
    folder, name = Path(operation.inputs["folder"]), operation.inputs["name"]
    found = sorted(folder.glob(f"{name}-*.json"), key=lambda path: path.stat().st_mtime_ns)
    return found[-1].name if found else None


def workspace(environment: str) -> Workspace:
    """Return where the stack lives."""
    return Workspace(environment=environment, backend=os.environ.get(BACKEND, ""))


def _say(text: str) -> None:
    print(text, flush=True)


def _told(step: Step) -> None:
    _say(f"{step.stage} {step.action.value} {step.name}")


def _facts(_: Sequence[str]) -> Facts:
    raise AssertionError("these files are judged by no guardrails")


def main(verb: str, *words: str) -> int:
    """Run; return the exit code."""
    if verb == "stack":
        folder, *rest = words
        infra.program = lambda environment: infra.Declared(
            program=declared(Path(folder), {}),
            workspace=workspace(environment.name),
            facts=_facts,
            lookup=lookup,
        )
        sys.argv = ["opsctl", "stack", *rest]
        command_line.main()
        return 0
    environment, folder, *texts = words
    files = dict(texts.pop().split("=", 1) for _ in (1,) if "--as" in texts)
    program = declared(
        Path(folder), dict(t.split("=", 1) for t in texts if t != "--as"), files=files
    )
    opened = infra.open_engine(
        infra.Declared(
            program=program, workspace=workspace(environment), facts=_facts, lookup=lookup
        ),
        _say,
    )
    try:
        done = opened.up(program, _told) if verb == "up" else opened.destroy(_told)
    except OpsctlError as error:
        print(f"error: {error.message}", *error.details, f"hint: {error.hint}", sep="\n")
        return error.exit_code
    print(done.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
