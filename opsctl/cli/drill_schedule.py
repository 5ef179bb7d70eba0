"""`opsctl drill schedule`: which drills are due, and units that run them."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from opsctl.cli.common import Output, emit
from opsctl.cli.guards import LiveOption
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.drills.due import Schedule
    from opsctl.drills.units import Caller

NOT_DUE = 1


class Form(StrEnum):
    """How a schedule is shown."""

    TABLE = "table"
    JSON = "json"
    SYSTEMD = "systemd"
    CRON = "cron"


def schedule(
    environment: Annotated[str, typer.Argument(help="The environment, as deployed.")],
    due: Annotated[
        str | None,
        typer.Option("--due", help="Say nothing, and exit 0 where this scenario is due, else 1."),
    ] = None,
    live: LiveOption = False,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="How the schedule is shown on stdout.")
    ] = Form.TABLE,
) -> None:
    """Show which drills are due, by `trading:drills` and the evidence of those that were run.

    A scenario is due so many days after it passed; at once where it never did, or has failed
    since. `--output systemd` and `--output cron` print units that run what is due when the
    window opens; nothing is installed. Those of a live environment need `--live`.
    """
    from datetime import UTC, datetime

    from opsctl import evidence
    from opsctl.cli.selection import deployed
    from opsctl.deploy import identity
    from opsctl.drills import due as planning
    from opsctl.drills import load, names

    found = deployed(environment, None, "drill schedule")
    scenarios = {name: load(name) for name in names()}
    titles = {name: each.title for name, each in scenarios.items()}
    wanted = (*found.drills.scenarios, *((due,) if due else ()))
    if unknown := sorted(set(wanted) - titles.keys()):
        raise UsageError(
            f"there is no scenario {', '.join(unknown)}",
            hint=f"correct trading:drills.scenarios or --due; known are: {', '.join(titles)}",
        )
    planned = planning.schedule(
        found,
        {n: t for n, t in titles.items() if n in wanted or not scenarios[n].named_only},
        evidence.log().read(),
        identity=identity.known(found.name),
        now=datetime.now(UTC),
    )
    if due is not None:
        raise typer.Exit(
            0 if any(s.due for s in planned.scenarios if s.scenario == due) else NOT_DUE
        )
    if output in (Form.SYSTEMD, Form.CRON):
        if found.live and not live:
            raise UsageError(
                f"{found.name} is live: its units would trade real money unattended",
                hint=f"if you mean it: opsctl drill schedule {found.name} --live -o {output}",
            )
        from opsctl.drills import units

        written = units.systemd if output is Form.SYSTEMD else units.cron
        sys.stdout.write(written(planned, _caller(live=found.live)))
        return
    emit(planned, Output(output.value), lambda: _table(planned))


def _caller(*, live: bool) -> Caller:
    import getpass
    from pathlib import Path

    from opsctl.drills.units import Caller

    return Caller(
        program=str(Path(sys.executable).with_name("opsctl")),
        account=getpass.getuser(),
        folder=str(Path.cwd()),
        state=os.environ.get("OPSCTL_STATE", ""),
        live=live,
    )


def _table(found: Schedule) -> RenderableType:
    table = Table("scenario", "last run", "verdict", "due", f"in the window ({found.timezone})")
    for each in found.scenarios:
        table.add_row(
            each.scenario,
            f"{each.last_at:%Y-%m-%dT%H:%MZ}" if each.last_at else "never",
            each.last_verdict or "",
            Text("now", "yellow") if each.due else f"{each.due_at:%Y-%m-%dT%H:%MZ}",
            f"{each.window_at:%a %Y-%m-%d %H:%M}",
        )
    count = sum(each.due for each in found.scenarios)
    window = found.window or "at any time"
    said = f"{count} of {len(found.scenarios)} due; every {found.every_days} days, {window}"
    return Group(table, Text(said, "bold yellow" if count else "bold green"))
