"""`opsctl drill report`: the report of one drill again, or of all drills of a period."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, emit
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.drills.period import Period
    from opsctl.drills.report import Remade, RemadeSeries
    from opsctl.drills.reporting.document import Document


class Format(StrEnum):
    """How a report is printed whole."""

    MARKDOWN = "md"
    HTML = "html"


def report(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A run's id or folder; with `--period` an environment, all without.",
            metavar="RUN|ENV",
        ),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--period", help="Report the drills of so long: 12m, 90d, 4w, 1y."),
    ] = None,
    series: Annotated[
        bool,
        typer.Option(
            "--series", help="Of all runs of the `drill run --repeat` that RUN was the last of."
        ),
    ] = False,
    form: Annotated[
        Format | None, typer.Option("--format", help="Print the report itself on stdout.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the report of a drill again from its recorded run, or list the drills of a period.

    A run's `report.md` and `report.html` come out the same, byte for byte, and so do
    `series.md` and `series.html` of a drill that was repeated. The list of a
    period is by the evidence log, against the objectives: the annual tests that RTS 6, Reg
    SCI and DORA ask for, and which scenarios of the catalogue were not among them.
    """
    from opsctl.drills import report as reports
    from opsctl.drills.recording.finding import folder
    from opsctl.drills.reporting import year

    if period is not None and series:
        raise UsageError(
            "--series is of a run, --period of the evidence log: give one of them",
            hint="opsctl drill report RUN --series, or --period 12m [ENV]",
        )
    if period is not None:
        found = _period(period, what)
        if form is not None:
            _print(year.of_period(found), form)
        else:
            emit(found, output, lambda: _period_table(found))
        return
    if what is None:
        raise UsageError(
            "name a run, or a period", hint="opsctl drill report RUN, or --period 12m [ENV]"
        )
    run = folder(what)
    if form is not None:
        _print(reports.series_document(run) if series else reports.document(run), form)
    elif series:
        whole = reports.series_remade(run)
        emit(whole, output, lambda: _made(whole))
    else:
        made = reports.remade(run)
        emit(made, output, lambda: _made(made))


def _period(span: str, environment: str | None) -> Period:
    from opsctl import evidence
    from opsctl.drills import load, names
    from opsctl.drills import period as periods

    until = datetime.now(UTC)
    return periods.period(
        evidence.log().read(),
        [load(name) for name in names()],
        began=periods.since(span, until),
        until=until,
        environment=environment,
    )


def _print(document: Document, form: Format) -> None:
    from opsctl.drills.reporting import html, markdown

    renderer = html if form is Format.HTML else markdown
    sys.stdout.write(renderer.render(document))


def _made(found: Remade | RemadeSeries) -> RenderableType:
    lines = [Text(path) for path in (found.markdown, found.html)]
    tampered = [Text(f"not as it was sealed: {what}", "red") for what in found.changed]
    of = f"{len(found.runs)} runs" if found.kind == "series" else f"evidence {found.evidence}"
    return Group(*lines, *tampered, Text(of, "dim"))


def _period_table(found: Period) -> RenderableType:
    table = Table(
        Column("scenario", no_wrap=True),
        *("environment", "verdicts", "worst RTO", "lost", "doubled"),
        Column("last", no_wrap=True),
        "met",
        box=None,
        pad_edge=False,
    )
    for each in found.tested:
        table.add_row(
            each.scenario,
            each.environment,
            ", ".join(f"{count} {verdict}" for verdict, count in each.verdicts.items()),
            "-" if each.worst_rto_ms is None else f"{each.worst_rto_ms:.1f} ms",
            str(each.orders_lost),
            str(each.orders_duplicated),
            f"{each.last:%Y-%m-%d}",
            Text("yes", "green") if each.met else Text("no", "red"),
        )
    said = f"{found.runs} drills from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}"
    left = f"not passed in the period: {', '.join(found.untested) or 'none'}"
    return Group(table, Text(said, "bold"), Text(left, "yellow" if found.untested else "green"))
