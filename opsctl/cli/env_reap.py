"""`opsctl env reap` and `env down`: taking ephemeral environments away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, emit

if TYPE_CHECKING:
    from opsctl.ephemeral.outcome import Reaped, Reaping

_STYLES = {"removed": "green", "failed": "red", "left": "red", "held": "yellow", "kept": "dim"}


def reap(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and change nothing.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Remove every ephemeral environment whose time is over, whoever made it.

    They are found in this machine's state folder and, by their labels, in its Docker Engine
    (or the one of DOCKER_HOST), also where the machine that made them is gone; and by their tags
    in accounts whose CI may make them (trading:aws.ci of a file of the project). What is not
    ephemeral, or whose time is not over, is never touched. Exit 1 where one could not be removed.
    """
    from datetime import UTC, datetime

    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.ephemeral import reaping

    found = reaping.reap(means(), Shown(), datetime.now(UTC), dry_run=dry_run)
    _answer(found, output)


def down(
    name: Annotated[str, typer.Argument(help="The name that `env up` gave it.", metavar="NAME")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Remove one ephemeral environment now; done where there is none of that name.

    For the last step of a job that keeps one up for several steps.
    """
    from datetime import UTC, datetime

    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.ephemeral import reaping

    _answer(reaping.down(name, means(), Shown(), datetime.now(UTC)), output)


def _answer(found: Reaping, output: Output) -> None:
    emit(found, output, lambda: _table(found))
    failed = any(one.verdict in ("failed", "left") for one in found.environments)
    if failed or found.unreachable:
        raise typer.Exit(1)


def _table(found: Reaping) -> RenderableType:
    lines = [Text(f"not asked: {why}", "red") for why in found.unreachable]
    if not found.environments:
        return Group(Text("no ephemeral environment is here"), *lines)
    shown = Table("environment", Column("owner", overflow="fold"), "until", "", "why")
    for one in found.environments:
        shown.add_row(*_row(one))
    left = (arn for one in found.environments if one.verdict == "left" for arn in one.resources)
    return Group(shown, *map(Text, left), *lines)


def _row(one: Reaped) -> tuple[Text, ...]:
    until = f"{one.expires:%Y-%m-%dT%H:%M:%SZ}"
    verdict = Text(one.verdict, _STYLES.get(one.verdict, ""))
    return (Text(one.environment), Text(one.owner), Text(until), verdict, Text(one.detail))
