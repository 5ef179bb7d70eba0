"""`opsctl plan`: what deploy would change."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from opsctl.cli import infrastructure
from opsctl.cli.common import EnvironmentArgument, Output, TierOption, emit
from opsctl.cli.infrastructure import MaxDeletionsOption, ReplaceDataOption
from opsctl.cli.selection import (
    AllowUnmetOption,
    AtOnceOption,
    DrOption,
    SetOption,
    TargetOption,
    declaring,
    flags,
    tell,
    wanted,
)
from opsctl.errors import UsageError


class PlanOutput(StrEnum):
    """How a plan is shown."""

    TABLE = "table"
    JSON = "json"
    COMPOSE = "compose"
    SARIF = "sarif"


PlanOutputOption = Annotated[
    PlanOutput,
    typer.Option(
        "--output",
        "-o",
        help="How the result is shown on stdout; compose: all that target docker would run, "
        "as one compose file without secrets; sarif: what guardrails find, for a code host.",
    ),
]

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog="Example: [bold]opsctl plan daily --set trading:replay.day_s=1[/bold]")
def plan(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    settings: SetOption = None,
    target: TargetOption = None,
    dr: DrOption = None,
    allow_unmet: AllowUnmetOption = False,
    at_once: AtOnceOption = False,
    replace_data: ReplaceDataOption = None,
    max_deletions: MaxDeletionsOption = None,
    output: PlanOutputOption = PlanOutput.TABLE,
) -> None:
    """Show what deploy would change.

    Where two sites trade, in which steps. Starts and stops nothing; exits 0 whether or not
    there is something to change. Of an environment with infrastructure: which resources would
    be changed and why, and what the guardrails say; exit 3 where they would refuse it.
    """
    chosen = flags(settings, target, dr, allow_unmet)
    if (declares := declaring(environment, tier, chosen)) is not None:
        if output is PlanOutput.COMPOSE:
            raise UsageError("a compose file is of services on an engine here, not of a cloud")
        form = None if output is PlanOutput.SARIF else Output(output.value)
        infrastructure.plan(declares, replace_data or (), form, max_deletions)
        return
    if replace_data or max_deletions is not None or output is PlanOutput.SARIF:
        raise UsageError(
            "--replace-data, --max-deletions and --output sarif are of infrastructure, and this "
            "environment declares none",
            hint="trading:infrastructure in its file names one",
        )
    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline

    found = wanted(environment, tier, chosen)
    tell(found.name)
    if output is PlanOutput.COMPOSE:
        from opsctl.targets import composed

        sys.stdout.write(composed(found))
        return
    result = Pipeline(means(), Shown()).plan(found, at_once=at_once)

    def table() -> Table | Group | str:
        if result.empty:
            return f"{found.name}: nothing to change"
        shown = Table("action", "kind", "service", "reason")
        for change in result.changes:
            shown.add_row(change.action.value, change.kind, change.name, change.reason)
        if len(found.trading_sites) < 2:
            return shown
        steps = Table("step", "where", "services", "reason")
        for step in result.steps:
            steps.add_row(step.kind, step.site, "\n".join(step.services), step.reason)
        return Group(shown, steps)

    emit(result, Output(output.value), table)
