"""`opsctl drill show`: a scenario, or what the recorded run of a drill says of single orders."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, emit

if TYPE_CHECKING:
    from opsctl.drills.recording.finding import Around
    from opsctl.drills.recording.story import Life
    from opsctl.drills.scenario import Described

RunArgument = Annotated[
    str,
    typer.Argument(
        help="A scenario, or a run's id, or the folder of a recorded run.", metavar="SCENARIO|RUN"
    ),
]


def show(
    run: RunArgument,
    order: Annotated[
        str | None, typer.Option("--order", help="The order whose life is shown.", metavar="ID")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a scenario; or the life of an order of a drill, or the orders around its fault.

    A scenario is shown as YAML, its parameters filled in: a start for one of your own.
    Of an order: when it was decided, journaled, sent, acknowledged and filled, by which site
    in which epoch, what was in doubt and how that was settled: from the recorded run alone.
    """
    from opsctl.drills import described, names
    from opsctl.drills.recording.finding import around, folder
    from opsctl.drills.recording.life import life

    if order is None and run in names():
        scenario = described(run)
        emit(scenario, output, lambda: _scenario(scenario))
        return
    found = folder(run)
    if order is None:
        every = around(found)
        emit(every, output, lambda: _around(every))
        return
    one = life(found, order)
    emit(one, output, lambda: _life(one))


def _scenario(found: Described) -> RenderableType:
    """Whole lines: what is shown may become a file."""
    return Text(f"# {found.source}\n{found.text()}", no_wrap=True, overflow="ignore")


def _around(found: Around) -> RenderableType:
    words = ("decided", "site / epoch", "doubts", "state")
    table = Table(Column("order", no_wrap=True), *words, box=None, pad_edge=False)
    for each in found.lives:
        led = f"{each.site} / {each.epoch}" if each.epoch is not None else "-"
        table.add_row(
            each.order,
            _time(each.decided),
            led,
            str(len(each.doubts)),
            each.outcome,
        )
    said = f"{found.scenario} on {found.environment}: {found.verdict}; {found.orders} orders"
    tampered = [Text(f"not as it was sealed: {what}", "red") for what in found.changed]
    hint = Text(f"one of them: opsctl drill show {found.run} --order ID", "dim")
    return Group(table, *tampered, Text(said, "bold"), hint)


def _life(found: Life) -> RenderableType:
    from opsctl.drills.recording.story import shown

    table = Table(
        Column("ms from the fault", justify="right"),
        *("account", "site / epoch"),
        Column("what", overflow="fold"),
        box=None,
        pad_edge=False,
    )
    for ms, at, *what in shown(found.events):
        table.add_row(ms or at, *map(Text, what))
    head = (
        f"{found.order}: {found.side} {found.qty} {found.symbol} at {found.limit}, decided "
        f"{found.decided:%Y-%m-%d %H:%M:%S.%f} UTC"
        if found.decided
        else found.order
    )
    doubts = [
        Text(
            f"in doubt from {doubt.opened:%H:%M:%S.%f} ({doubt.cause}): "
            + (f"settled at {doubt.settled:%H:%M:%S.%f}, {doubt.how}" if doubt.settled else "open"),
            "yellow",
        )
        for doubt in found.doubts
    ]
    return Group(Text(head, "bold"), table, *doubts, Text(found.outcome, "bold"))


def _time(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%H:%M:%S.%f}"
