"""`opsctl resume`: release the kill switch."""

from __future__ import annotations

import typer

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption
from opsctl.cli.halt import act

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog="Example: [bold]opsctl resume daily[/bold]")
def resume(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Release the kill switch.

    Exits 0 only when the order path has confirmed that trading goes on.
    """
    act("resume", environment, tier, "", output)
