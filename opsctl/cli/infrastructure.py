"""What plan, deploy and destroy show of an environment that declares infrastructure."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl import __version__
from opsctl.cli.common import Output, emit, report, say
from opsctl.cli.selection import mend

if TYPE_CHECKING:
    from opsctl.deploy.rollout import Planned
    from opsctl.environments import Loaded
    from opsctl.infra import applying, whole
    from opsctl.infra.applying import InfrastructureDeployed
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
MaxDeletionsOption = Annotated[
    int | None,
    typer.Option(
        "--max-deletions",
        min=0,
        help="How many resources in a cloud this change may replace or delete; by default 5.",
        metavar="N",
    ),
]
OverwriteDriftOption = Annotated[
    bool,
    typer.Option(
        "--overwrite-drift", help="Make what somebody changed in a cloud as it is declared."
    ),
]


def plan(
    loaded: Loaded,
    replace_data: Sequence[str],
    output: Output | None,
    max_deletions: int | None = None,
) -> None:
    """Show what would be changed and what guardrails say; exit 3 where they refuse it.

    Without an `output` it is SARIF.
    """
    from opsctl.cli.guardrails import rendered
    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline
    from opsctl.infra import whole
    from opsctl.infra.guardrails import Verdict, sarif
    from opsctl.infra.planning import plan as planned
    from opsctl.infra.prechecks import Known

    engine_here()
    found = planned(loaded.environment, say, replace_data, max_deletions)
    if output is None:
        log = sarif(found.guardrails, loaded.file.name, _line(loaded), __version__)
        sys.stdout.write(json.dumps(log, indent=2) + "\n")
    else:
        found = whole.plan(loaded.environment, found, Pipeline(means(), Shown()))
        parts = [_changes(found.changes) or f"{found.environment}: nothing to change"]
        asked = [f"{p.check} {p.subject}: {p.problem}. {p.comply}" for p in found.prechecks]
        unknown = f"services: {found.services_unknown}"
        said = _of_services(found.services) if found.services else unknown
        judged = rendered(found.guardrails)
        emit(found, output, lambda: Group(*parts, judged, *asked, *found.unmet, said))
    refused = any(one.verdict is Known.REFUSED for one in found.prechecks)
    if refused or found.guardrails.verdict is Verdict.REFUSED:
        raise typer.Exit(3)


def deploy(environment: Environment, asked: applying.Asked, output: Output) -> None:
    """Make what is declared; exit 3 where it does not keep to the guardrails then."""
    from opsctl.cli.guardrails import rendered
    from opsctl.infra import applying

    engine_here()
    found = applying.deploy(environment, asked, say, _told)

    def table() -> RenderableType:
        handed = Table("output", Column("value", overflow="fold"))
        for name, each in found.outputs.items():
            handed.add_row(name, Text(str(each.value)))
        return Group(_changed(found), handed, rendered(found.guardrails), *found.unmet)

    emit(found, output, table)
    if code := applying.exit_code(found):
        raise typer.Exit(code)


def deploy_whole(environment: Environment, asked: whole.Asked, output: Output) -> None:
    """Make what is declared and run the services on its hosts; exit 3 where one does not hold."""
    from opsctl.cli.boxes import Shown as Boxes
    from opsctl.cli.boxes import styled
    from opsctl.cli.deploy import table as services
    from opsctl.cli.guardrails import rendered
    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline
    from opsctl.infra import whole

    engine_here()
    boxes = Boxes()

    def heal(placed: Environment) -> None:
        boxes.pause()
        mend(placed, "deploy")

    try:
        heard = whole.Heard(say, _told, boxes, heal)
        found = whole.deploy(environment, asked, Pipeline(means(), Shown()), heard)
    finally:
        boxes.pause()

    def table() -> RenderableType:
        made = found.infrastructure
        hosts = Table("host", "site", "reached", "profile")
        for one in found.hosts:
            held = styled(one.profile) if one.profile else "as it was"
            hosts.add_row(one.name, one.site, one.through or one.address, held)
        judged = rendered(made.guardrails)
        return Group(_changed(made), judged, *made.unmet, hosts, services(found.services))

    emit(found, output, table)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def destroy(environment: Environment, replace_data: Sequence[str], output: Output) -> None:
    """Stop the services, then delete everything that was declared."""
    from opsctl.cli.boxes import Shown as Boxes
    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline
    from opsctl.infra import applying, whole

    engine_here()
    heard = whole.Heard(say, _told, Boxes(), lambda placed: mend(placed, "destroy"))
    asked = applying.Asked(replace_data)
    found = whole.destroy(environment, asked, Pipeline(means(), Shown()), heard)

    def shown() -> str:
        if found.run is None:
            return f"{found.environment}: nothing to destroy"
        services = f"{len(found.stopped)} services stopped, " if found.stopped else ""
        deleted = f"{len(found.deleted)} deleted"
        return f"{found.environment}: {services}{deleted}, {found.duration_s:.1f} s"

    emit(found, output, shown)


def engine_here() -> None:
    """Obtain Pulumi's engine where it is missing."""
    from opsctl.toolchain import changes

    changes.install(("pulumi",), report)


def _told(step: Step) -> None:
    took = "" if step.took_s is None else f" ({step.took_s:.1f} s)"
    say(f"{step.action} {step.name}: {step.stage}{took}")


def _changed(found: InfrastructureDeployed) -> RenderableType:
    return Group(
        _changes(found.changes) or f"{found.environment}: nothing was changed",
        f"{len(found.changes)} changed, {found.unchanged} as they were, "
        f"{found.duration_s:.1f} s (run {found.run})",
    )


def _of_services(found: Planned) -> RenderableType:
    if found.empty:
        return "services: nothing to change"
    shown = Table("action", "service", "reason")
    for one in found.changes:
        shown.add_row(one.action.value, one.name, one.reason)
    return shown


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
