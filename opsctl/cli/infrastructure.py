"""What plan, deploy and destroy show of an environment that declares infrastructure."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table

from opsctl import __version__
from opsctl.cli.common import Output, emit, report, say

if TYPE_CHECKING:
    from opsctl.environments import Loaded
    from opsctl.infra.planning import Change
    from opsctl.infra.results import Step
    from opsctl.model.environment import Environment

ReplaceDataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--replace-data",
        help="A resource that holds data and may be replaced or deleted. May be repeated.",
        metavar="NAME",
    ),
]
OverwriteDriftOption = Annotated[
    bool,
    typer.Option(
        "--overwrite-drift", help="Make what somebody changed in a cloud as it is declared."
    ),
]


def plan(loaded: Loaded, replace_data: Sequence[str], output: Output | None) -> None:
    """Show what would be changed and what guardrails say; exit 3 where they refuse it.

    Without an `output` it is SARIF.
    """
    from opsctl.cli.guardrails import rendered
    from opsctl.infra.guardrails import Verdict, sarif
    from opsctl.infra.planning import plan as planned
    from opsctl.infra.prechecks import Known

    engine_here()
    found = planned(loaded.environment, say, replace_data)
    if output is None:
        log = sarif(found.guardrails, loaded.file.name, _line(loaded), __version__)
        sys.stdout.write(json.dumps(log, indent=2) + "\n")
    else:
        parts = [_changes(found.changes) or f"{found.environment}: nothing to change"]
        asked = [f"{p.check} {p.subject}: {p.problem}. {p.comply}" for p in found.prechecks]
        emit(found, output, lambda: Group(*parts, rendered(found.guardrails), *asked, *found.unmet))
    refused = any(one.verdict is Known.REFUSED for one in found.prechecks)
    if refused or found.guardrails.verdict is Verdict.REFUSED:
        raise typer.Exit(3)


def deploy(
    environment: Environment, replace_data: Sequence[str], output: Output, *, overwrite_drift: bool
) -> None:
    """Make what is declared; exit 3 where it does not keep to the guardrails then."""
    from opsctl.cli.guardrails import rendered
    from opsctl.infra import applying

    engine_here()
    asked = applying.Asked(replace_data, overwrite_drift)
    found = applying.deploy(environment, asked, say, _told)

    def table() -> RenderableType:
        handed = Table("output", Column("value", overflow="fold"))
        for name, each in found.outputs.items():
            handed.add_row(name, str(each.value))
        return Group(
            _changes(found.changes) or f"{found.environment}: nothing was changed",
            handed,
            rendered(found.guardrails),
            *found.unmet,
            f"{len(found.changes)} changed, {found.unchanged} as they were, "
            f"{found.duration_s:.1f} s (run {found.run})",
        )

    emit(found, output, table)
    if code := applying.exit_code(found):
        raise typer.Exit(code)


def destroy(environment: Environment, replace_data: Sequence[str], output: Output) -> None:
    """Delete everything that was declared."""
    from opsctl.infra import applying

    engine_here()
    found = applying.destroy(environment, applying.Asked(replace_data), say, _told)

    def shown() -> str:
        if found.run is None:
            return f"{found.environment}: nothing to destroy"
        return f"{found.environment}: {len(found.deleted)} deleted, {found.duration_s:.1f} s"

    emit(found, output, shown)


def engine_here() -> None:
    """Obtain Pulumi's engine where it is missing."""
    from opsctl.toolchain import changes

    changes.install(("pulumi",), report)


def _told(step: Step) -> None:
    took = "" if step.took_s is None else f" ({step.took_s:.1f} s)"
    say(f"{step.action} {step.name}: {step.stage}{took}")


def _changes(changes: Sequence[Change]) -> Table | None:
    if not changes:
        return None
    shown = Table("action", "resource", Column("reason", overflow="fold"))
    for one in changes:
        shown.add_row(one.action.value, f"{one.name}\n{one.kind}", one.reason)
    return shown


def _line(loaded: Loaded) -> int:
    """Return where in its file an environment begins to say what it is on AWS."""
    lines = (
        origin.line
        for path, origin in loaded.origins.items()
        if path.startswith("aws.") and origin.file == loaded.file.name and origin.line
    )
    return min(lines, default=1)
