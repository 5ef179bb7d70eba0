"""`opsctl drill simulate`: the order path's own code, on a virtual world, by the seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, emit, progress

if TYPE_CHECKING:
    from opsctl.drills.simulator import Simulation

BROKEN, STOPPED = 3, 130
EVERY = 500
_STYLES = {"passed": "green", "failed": "red", "interrupted": "yellow"}


def simulate(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many seeds are run.")] = 1_000,
    first: Annotated[int, typer.Option("--from", min=0, help="The first seed.")] = 0,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Run the plan that a failure printed instead.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", help="Write down what was run; it is not run again."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run the order path on a virtual network, clock, journal and venue, and check that it holds.

    Every seed is a history of its own: crashes, freezes, lost answers, elections, cut links,
    kill switch, handovers. A seed that breaks an invariant is replayed, made as short as it
    gets, and printed. Exits 3 where one does.
    """
    from opsctl.drills.simulator import replay
    from opsctl.drills.simulator import simulate as run

    shown = 0

    def told(done: int, failed: int) -> None:
        nonlocal shown
        if done - shown >= EVERY:
            shown = done
            progress.print(f"{done} seeds, {failed} failed", markup=False, highlight=False)

    found = replay(plan) if plan else run(first, seeds, told=told, record=record)
    emit(found, output, lambda: _shown(found))
    if found.verdict != "passed":
        raise typer.Exit(BROKEN if found.verdict == "failed" else STOPPED)


def _shown(found: Simulation) -> RenderableType:
    parts: list[RenderableType] = []
    for each in found.failures:
        parts.append(Text(f"seed {each.seed}: {each.violation}", "red"))
        parts += [Text(line) for line in each.timeline]
        parts.append(Text(f"  again: opsctl drill simulate --from {each.seed} --seeds 1"))
    said = (
        f"{found.verdict}: seeds {found.first} to {found.last}, {found.runs} runs in "
        f"{found.seconds:g} s ({found.runs_per_minute:g} a minute), {found.takeovers} takeovers, "
        f"{found.orders_accepted} orders"
    )
    return Group(*parts, Text(said, f"bold {_STYLES[found.verdict]}"))
