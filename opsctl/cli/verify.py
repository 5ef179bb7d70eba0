"""`opsctl verify`: the tiers, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, emit, progress

if TYPE_CHECKING:
    from opsctl.health.verify import Verification

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

MISSED = 3
_STYLES = {"passed": "green", "failed": "red", "stated": "yellow"}


@app.command(epilog="Example: [bold]opsctl verify daily --probes 2000[/bold]")
def verify(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    probes: Annotated[
        int, typer.Option("--probes", min=1, max=100_000, help="How many probes are measured.")
    ] = 200,
    rate: Annotated[
        float, typer.Option("--rate", min=0.1, max=500, help="Most probes sent in a second.")
    ] = 50.0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Measure that the latency tier is met, and check every app's contract.

    Probes go through the whole chain, from the data app to the venue's test symbol, one
    after the other; positions stay as they are. Exits 3 when the tier is missed or a check fails.
    """
    from opsctl.cli.selection import deployed
    from opsctl.health.verify import verify as measured
    from opsctl.targets import open_target

    found = deployed(environment, tier, "verify")
    progress.print(
        f"sending {probes} probes, {rate:g} a second at most", markup=False, highlight=False
    )
    result = measured(found, open_target(found), probes=probes, rate_per_s=rate)
    emit(result, output, lambda: _shown(result))
    if result.verdict == "failed":
        raise typer.Exit(MISSED)


def _shown(found: Verification) -> RenderableType:
    from opsctl.health.latency import in_words

    def cell(us: float | None) -> str:
        return "too few" if us is None else in_words(us)

    right = [Column(name, justify="right") for name in ("samples", "p50", "p99", "p99.9", "max")]
    times = Table("", *right, title="tick to order", title_justify="left")
    for stage in found.stages:
        passed = (cell(stage.p50_us), cell(stage.p99_us), "", cell(stage.max_us))
        times.add_row(stage.name, str(stage.samples), *passed)
    whole = found.latency
    figures = tuple(cell(us) for us in (whole.p50_us, whole.p99_us, whole.p999_us, whole.max_us))
    times.add_row("whole", str(whole.samples), *figures, style="bold")
    checks = Table("check", "verdict", Column("detail", overflow="fold"))
    for check in found.checks:
        checks.add_row(check.name, Text(check.verdict, _STYLES[check.verdict]), Text(check.detail))
    dr = f"{found.dr} (rehearsal)" if found.rehearsal else found.dr
    tiers = f"tier {found.tier}, dr {dr}, target {found.target}"
    said = f"{found.environment}: {found.verdict}: {tiers}"
    return Group(times, checks, Text(said, f"bold {_STYLES[found.verdict]}"))
