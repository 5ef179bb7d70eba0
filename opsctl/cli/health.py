"""`opsctl health`: every service does its work once, and Prometheus is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, emit
from opsctl.cli.status import UNHEALTHY, table
from opsctl.errors import OpsctlError

if TYPE_CHECKING:
    from opsctl.health.managed import Managed
    from opsctl.health.report import EnvironmentHealth, Monitoring
    from opsctl.model.tiers import LatencyTier

_STATES = {"healthy": "green", "unhealthy": "red", "unknown": "yellow"}

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
    the alerts of Prometheus. Of an environment on AWS, what AWS runs for it as well: hosts,
    databases, alarms, health checks, copies of buckets, keys; what could not be asked is
    unknown, and not healthy. Exits 3 when something is unhealthy.
    """
    from opsctl.cli.selection import in_cloud
    from opsctl.health import report

    cloud = in_cloud(environment, tier)
    if cloud is None:
        seen = _services(environment, tier)
    else:
        from opsctl.infra.watching import managed

        with ThreadPoolExecutor(max_workers=1) as pool:
            services = pool.submit(_services, environment, tier)
            parts = managed(cloud)
            try:
                found = services.result()
            except (OpsctlError, OSError) as fault:  # which must not hide what the cloud says
                if parts is None:
                    raise
                found = report.unseen(cloud.name, str(fault))
        seen = report.with_managed(found, parts)
    emit(seen, output, lambda: _shown(seen))
    if seen.verdict == "unhealthy":
        raise typer.Exit(UNHEALTHY)


def _services(environment: str | None, tier: LatencyTier | None) -> EnvironmentHealth:
    """Return the health of the services of an environment."""
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
        return report.health(
            found.name, services, running, datetime.now(UTC), probing.result(), asking.result()
        )


def _shown(health: EnvironmentHealth) -> RenderableType:
    parts = [] if health.managed is None else [_managed(health.managed)]
    if health.services_unknown:
        head = Text(f"{health.environment}: {health.verdict}")
        said = Text(f"services: {health.services_unknown}", style="red")
        return Group(head, said, *parts)
    return Group(table(health), *_monitoring(health.monitoring), *parts)


def _managed(managed: Managed) -> RenderableType:
    if managed.detail:
        return Text(f"managed parts: {managed.detail}", style="red")
    folds = Column("detail", overflow="fold")
    shown = Table("part", "name", "region", "state", folds, title="run by the cloud")
    for part in managed.parts:
        state = Text(part.state, style=_STATES[part.state])
        shown.add_row(part.kind, part.name, part.region, state, Text(part.detail))
    return shown


def _monitoring(monitoring: Monitoring) -> list[Text]:
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
    return lines
