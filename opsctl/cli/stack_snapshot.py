"""`opsctl stack snapshot`: snapshots of what holds data in a cloud."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Column, Table

from opsctl.cli.common import (
    EnvironmentArgument,
    Output,
    OutputOption,
    TierOption,
    YesOption,
    emit,
    say,
)
from opsctl.cli.guards import LiveOption, ask, guard_live
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.infra.snapshots import StackSnapshots

RUNNING = 3
_NAME = r"[a-z0-9]+(-[a-z0-9]+)*"


def snapshot(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    name: Annotated[
        str,
        typer.Option("--name", help="What the set is called; by default this day, in UTC."),
    ] = "",
    days: Annotated[
        int | None,
        typer.Option(
            "--days", min=1, max=3_650, help="Days to keep it; by default as long as backups."
        ),
    ] = None,
    wait: Annotated[
        int, typer.Option("--wait", min=0, help="Seconds to wait until it is completed.")
    ] = 3_600,
    list_: Annotated[bool, typer.Option("--list", help="Take none; show those there are.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take none; delete those whose last day is over.")
    ] = False,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take snapshots of the data volumes and the managed database of an environment on AWS.

    One of each in a set, which bears its environment, its last day and who took it as tags.
    Killed or failed half-way, the same command takes the rest: what a set has is not taken
    twice. Exit 3 where some still run after the time to wait. Pruning keeps the last completed
    one of everything, however old.
    """
    import re

    from opsctl.cli.infrastructure import engine_here
    from opsctl.environments import find, load
    from opsctl.infra import snapshotting

    if list_ and prune:
        raise UsageError("--list and --prune are two things", hint="one after the other")
    if (list_ or prune) and (name or days):
        raise UsageError(
            "--name and --days are of a set that is taken", hint="leave out --list and --prune"
        )
    name = name or f"{datetime.now(UTC):%Y-%m-%d}"
    if not re.fullmatch(_NAME, name) or len(name) > 40:
        raise UsageError(
            f"--name {name}: a set cannot be called so",
            hint="take lower-case letters, digits and single hyphens, 40 at most",
        )
    chosen = load(find(environment, tier)).environment
    engine_here()
    kept = snapshotting.kept(chosen)
    if list_:
        found = kept.listed()
    elif prune:
        guard_live("stack snapshot --prune", chosen, live=live, yes=yes)
        going = kept.past()
        if going:
            said = ", ".join(one.id for one in going)
            ask(f"delete {len(going)} snapshots of {chosen.name} ({said})?", yes=yes)
        found = kept.pruned(going, say) if going else kept.listed()
    else:
        found = kept.taken(name, days or chosen.aws.lock_days, wait, say)
        if not found.taken:
            say(f"set {name} is there already; another: --name NAME")
    emit(found, output, lambda: _table(found))
    if found.running:
        say(f"still running: {', '.join(found.running)}; the same command waits for them")
        raise typer.Exit(RUNNING)


def _table(found: StackSnapshots) -> RenderableType:
    if not found.snapshots:
        return f"{found.environment}: no snapshots"
    columns = (Column(head, overflow="fold") for head in ("resource", "snapshot", "state", "kept"))
    shown = Table("set", *columns, title=found.environment)
    for one in found.snapshots:
        state = one.state if one.state != "running" else f"running, {one.percent}%"
        until = f"to {one.expires}" if one.expires else "unknown"
        shown.add_row(one.name, one.resource, f"{one.id}\n{one.region}", state, until)
    return shown
