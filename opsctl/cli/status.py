"""`opsctl status`: what the target sees of an environment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, emit

if TYPE_CHECKING:
    from opsctl.health.report import EnvironmentStatus, ServiceHealth

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

UNHEALTHY = 3
_STATES = {"running": "green", "starting": "yellow", "stopped": "red", "failed": "red"}


@app.command(epilog="Example: [bold]opsctl status daily --output json[/bold]")
def status(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the services of an environment.

    Cheap: a service is ready when it runs and its port accepts a connection. Exits 3
    when one is not. `opsctl health` has every service do its work.
    """
    from opsctl.cli.selection import deployed
    from opsctl.health import report
    from opsctl.targets import open_target

    found = deployed(environment, tier, "status")
    target = open_target(found)
    services = target.services()
    up = report.listening(services)
    seen = report.status(found.name, services, target.observe(), datetime.now(UTC), up)
    emit(seen, output, lambda: table(seen))
    if seen.verdict == "unhealthy":
        raise typer.Exit(UNHEALTHY)


def table(status: EnvironmentStatus) -> Table:
    """Return the services as a table, the verdict above it."""
    shown = Table(
        "service",
        "state",
        "ready",
        Column("up", justify="right"),
        Column("memory", justify="right"),
        Column("detail", overflow="fold"),
        title=f"{status.environment}: {status.verdict}",
    )
    for service in status.services:
        shown.add_row(*_row(service))
    return shown


def _row(service: ServiceHealth) -> tuple[str | Text, ...]:
    return (
        service.key,
        Text(service.state, style=_STATES[service.state]),
        Text("yes", style="green") if service.ready else Text("no", style="red"),
        "" if service.uptime_s is None else span(service.uptime_s),
        "" if service.rss_bytes is None else f"{service.rss_bytes / 2**20:.0f} MB",
        Text(service.detail),
    )


def span(seconds: float) -> str:
    """Return a span of time in its two largest units: `3h 04m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3_600}h {whole % 3_600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3_600:02d}h"
