"""`opsctl rollback`: go back to what an earlier run had deployed."""

from __future__ import annotations

from typing import Annotated

import typer

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, YesOption
from opsctl.cli.deploy import NoVerifyOption, show
from opsctl.cli.guards import LiveOption, guard_live
from opsctl.cli.selection import AtOnceOption, deployed

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog="Example: [bold]opsctl rollback daily[/bold]")
def rollback(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="The run to go back to; else the one before the current.", metavar="RUN"
        ),
    ] = None,
    at_once: AtOnceOption = False,
    no_verify: NoVerifyOption = False,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go back to what an earlier run had deployed.

    Repeated, it goes back one more; `opsctl evidence list` shows the runs. The environment
    file is not changed, so that the next deploy goes forward again. Where two sites trade it
    goes from site to site, as a deploy does.
    """
    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline

    found = deployed(environment, tier, "rollback")
    guard_live("rollback", found, live=live, yes=yes)
    result = Pipeline(means(), Shown()).rollback(
        found.name,
        to=to,
        arguments={"to": to, "verify": not no_verify, "at_once": at_once},
        verify=not no_verify,
        at_once=at_once,
    )
    show(result, output)
