"""`opsctl failback`: hand the order path back to the environment's first site."""

from __future__ import annotations

import typer

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, YesOption
from opsctl.cli.failover import leave, say, show
from opsctl.cli.guards import LiveOption, guard_live
from opsctl.cli.selection import deployed

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog="Example: [bold]opsctl failback intraday[/bold]")
def failback(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Hand the order path back to the environment's first site.

    A planned handover, with the checks and exit codes of `failover`; exits 0 and says so
    where the first site leads already.
    """
    from opsctl.evidence.runs import who
    from opsctl.recovery import failback as move
    from opsctl.targets import open_target

    found = deployed(environment, tier, "failback")
    guard_live("failback", found, live=live, yes=yes)
    result = move(
        found,
        open_target(found),
        by=who(),
        show=lambda result: show(result, output),
        say=say,
    )
    leave(result)
