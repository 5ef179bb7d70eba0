"""`opsctl audit host`: whether every setting of a box still holds."""

from __future__ import annotations

import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.boxes import (
    FORKS,
    AcceptOption,
    BoxTierOption,
    ForksOption,
    HostsArgument,
    InventoryOption,
    LimitOption,
    PasswordOption,
    ProfileOption,
    Shown,
    brief,
    explained,
    reach,
    styled,
)
from opsctl.cli.common import Output, emit, say

if TYPE_CHECKING:
    from opsctl.provision.latency import Figure
    from opsctl.provision.results import Audited, AuditedHost

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Read back from boxes whether every setting of their profile holds.",
    epilog="Example: [bold]opsctl audit host --tier hft[/bold]",
)


class Format(StrEnum):
    """How an audit is shown."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


@app.callback()
def group() -> None:
    """Read back from boxes whether every setting of their profile holds."""


@app.command("host", epilog="Example: [bold]opsctl audit host ny4-1 --metrics boxes.prom[/bold]")
def host(
    hosts: HostsArgument = None,
    inventory: InventoryOption = None,
    tier: BoxTierOption = None,
    profile: ProfileOption = None,
    limit: LimitOption = None,
    everything: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the settings that hold as well.")
    ] = False,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency", help="Count what disturbs the trading CPUs; takes each for some seconds."
        ),
    ] = False,
    metrics: Annotated[
        Path | None,
        typer.Option(help="Write metrics for node_exporter's textfile collector.", metavar="FILE"),
    ] = None,
    forks: ForksOption = FORKS,
    accept_host_keys: AcceptOption = False,
    become_password_file: PasswordOption = None,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="How the result is shown on stdout.")
    ] = Format.TABLE,
) -> None:
    """Read every setting back from the running kernel, judge it, and say what changed since.

    Changes nothing on a box. Exits 0 when all that applies holds, 3 when something does not,
    waits for a reboot or could not be read, and 1 when a box could not be audited at all. The
    report as one HTML file lies in the run's folder; --output html prints it.
    """
    from opsctl.provision import auditing

    asked = auditing.Asked(
        reach=reach(inventory, forks, accept_host_keys, become_password_file),
        names=(*(hosts or ()), *(limit or ())),
        tier=tier,
        profile=profile,
        latency=latency,
    )
    with Shown() as shown:
        found = auditing.audit(asked, shown)
    if metrics is not None:
        from opsctl.provision import metrics as exposition

        exposition.write(found, metrics)
    if output is Format.HTML:
        sys.stdout.write(Path(found.report).read_text(encoding="utf-8"))
    else:
        emit(found, Output(output), lambda: _shown(found, everything=everything))
    for one in found.hosts:
        if one.failure is not None:
            explained(one.host, one.failure)
    if code := auditing.EXIT[found.verdict]:
        raise typer.Exit(code)
    say(f"the report: {found.report}")


def _shown(found: Audited, *, everything: bool) -> RenderableType:
    parts: list[RenderableType] = []
    boxes = Table("box", "profile", "verdict", "holds", "drifted", "reboot", "n/a", "since")
    for one in found.hosts:
        counts = Counter(finding.verdict.value for finding in one.findings)
        boxes.add_row(
            one.host,
            one.profile,
            styled(one.verdict),
            str(counts["holds"]),
            str(counts["drifted"] + counts["unreadable"]),
            str(counts["reboot"]),
            str(counts["not_applicable"]),
            _since(one),
        )
    parts.append(boxes)
    parts.extend(
        _findings(one, everything=everything) for one in found.hosts if _listed(one, everything)
    )
    parts.extend(_latency(one) for one in found.hosts if one.latency)
    return Group(*parts)


def _latency(one: AuditedHost) -> Table:
    shown = Table(
        *("counted", "measured", "bound", "before", "", "why"),
        box=None,
        pad_edge=False,
        title=Text(f"{one.host}: its trading CPUs, per second"),
        title_justify="left",
    )
    for figure in one.latency:
        numbers = ("" if n is None else f"{n:g}" for n in _numbers(figure))
        word = figure.judgement.value
        shown.add_row(figure.name, *numbers, styled(word), Text(figure.detail))
    return shown


def _numbers(figure: Figure) -> tuple[float | None, float | None, float | None]:
    return figure.measured, figure.bound, figure.before


def _since(one: AuditedHost) -> str:
    if one.audited_before is None:
        return "" if one.failure else "first audit"
    changed = f"{len(one.since)} changed" if one.since else "nothing changed"
    return f"{changed} since {one.audited_before:%Y-%m-%dT%H:%M:%SZ}"


def _listed(one: AuditedHost, everything: bool) -> list[tuple[str, str, str, str, str]]:
    return [
        (f.setting, f.want, f.got, f.verdict.value, f.detail)
        for f in one.findings
        if everything or f.verdict.value not in ("holds", "not_applicable")
    ]


def _findings(one: AuditedHost, *, everything: bool) -> Table:
    shown = Table(
        Column("setting", no_wrap=True),
        Column("want", overflow="fold"),
        Column("got", overflow="fold"),
        "verdict",
        Column("why", overflow="fold"),
        box=None,
        pad_edge=False,
        title=Text(f"{one.host}: {'every setting' if everything else 'what does not hold'}"),
        title_justify="left",
    )
    for setting, want, got, verdict, detail in _listed(one, everything):
        shown.add_row(Text(setting), brief(want), brief(got), styled(verdict), Text(detail))
    return shown
