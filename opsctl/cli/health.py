"""`opsctl health`: every service does its work once, and Prometheus is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, emit
from opsctl.cli.status import UNHEALTHY, table

if TYPE_CHECKING:
    from opsctl.health.report import EnvironmentHealth

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command(epilog="Example: [bold]opsctl health daily[/bold]")
def health(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Probe every service with real work.

    A row written and read, a message through the bus, a journal append, an object
    stored, and what every app says of its own message flow; then the targets and
    the alerts of Prometheus. Exits 3 when something is unhealthy.
    """
    from opsctl.cli.selection import deployed
    from opsctl.health import report
    from opsctl.targets import open_target

    found = deployed(environment, tier, "health")
    target = open_target(found)
    services = target.services()

    def secret(name: str) -> str:
        return Path(target.host.secret(name)).read_text(encoding="utf-8")

    with ThreadPoolExecutor(max_workers=2) as pool:
        probing = pool.submit(report.probe_all, services, secret)
        asking = pool.submit(report.monitored, services, secret)
        running = target.observe()
        seen = report.health(
            found.name, services, running, datetime.now(UTC), probing.result(), asking.result()
        )
    emit(seen, output, lambda: _shown(seen))
    if seen.verdict == "unhealthy":
        raise typer.Exit(UNHEALTHY)


def _shown(health: EnvironmentHealth) -> RenderableType:
    monitoring = health.monitoring
    lines = [
        Text(f"Prometheus: {monitoring.detail}", style="red")
        if monitoring.detail
        else Text(f"Prometheus: {monitoring.targets_up} targets up")
    ]
    lines.extend(
        Text(f"target down: {target.service} {target.instance}", style="red")
        for target in monitoring.targets_down
    )
    lines.extend(
        Text(f"alert firing: {alert.name} ({alert.severity}) {alert.service}", style="yellow")
        for alert in monitoring.alerts_firing
    )
    return Group(table(health), *lines)
