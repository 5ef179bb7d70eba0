"""`opsctl destroy`: stop an environment and remove it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from opsctl.cli import infrastructure
from opsctl.cli.common import (
    EnvironmentArgument,
    Output,
    OutputOption,
    TierOption,
    YesOption,
    emit,
)
from opsctl.cli.guards import LiveOption, ask, guard_live
from opsctl.cli.infrastructure import ReplaceDataOption
from opsctl.cli.selection import declared_or_none, mend, standing_or_left, wanted
from opsctl.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog="Example: [bold]opsctl destroy daily --keep-data --yes[/bold]")
def destroy(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep data, ports and secrets for a next deploy.")
    ] = False,
    replace_data: ReplaceDataOption = None,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop an environment and remove it; the evidence stays.

    Leaves no process, no port and no file but the evidence. Works on an environment whose
    file is gone, and on one that a killed deploy left half-way.
    """
    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline

    declares = declared_or_none(environment, tier)
    if declares is not None:
        if keep_data:
            raise UsageError(
                f"the data of {declares.name} are on its hosts, which go with it",
                hint="back them up first, or of a cloud take the last snapshot that a volume "
                f"leaves; to stop trading only: opsctl halt {declares.name}",
            )
        guard_live("destroy", declares, live=live, yes=yes)
        own = declares.infrastructure == "onprem"
        what = "hand its servers back" if own else "delete everything that it declared in a cloud"
        ask(f"destroy {declares.name}: {what}?", yes=yes)
        infrastructure.destroy(declares, replace_data or (), output)
        return
    found = standing_or_left(environment, tier) or wanted(environment, tier, {})
    guard_live("destroy", found, live=live, yes=yes)
    if not (found.live and live):
        what = "stop it, keep its data" if keep_data else "stop it and remove its data"
        ask(f"destroy {found.name}: {what}?", yes=yes)
    mend(found, "destroy")
    result = Pipeline(means(), Shown()).destroy(
        found, keep_data=keep_data, arguments={"keep_data": keep_data}
    )

    def table() -> Table | str:
        if result.run is None:
            return f"{result.environment}: nothing to destroy"
        shown = Table(show_header=False)
        shown.add_row("environment", result.environment)
        shown.add_row("run", result.run)
        shown.add_row("stopped", ", ".join(result.stopped) or "nothing ran")
        shown.add_row("data", "kept" if result.kept_data else "removed")
        shown.add_row("took", f"{result.duration_s:.1f} s")
        return shown

    emit(result, output, table)
