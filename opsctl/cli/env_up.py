"""`opsctl env up`: an environment for a job of CI, made, used and taken away."""

from __future__ import annotations

import os
import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, emit, say
from opsctl.cli.selection import AllowUnmetOption, DrOption, SetOption, TargetOption, flags
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.ephemeral.outcome import Up

SUMMARY = "GITHUB_STEP_SUMMARY"
"""Names the file that CI shows as the page of a job; it is added to."""
STDERR = 2


class Infrastructure(StrEnum):
    """What declares the hosts of an environment that ends."""

    AWS = "aws"


_STYLES = {"passed": "green", "skipped": "dim"}


def up(
    name: Annotated[
        str, typer.Option("--name", help="The name that it bears, such as pr-123.", metavar="NAME")
    ],
    base: Annotated[
        str, typer.Option("--from", help="The environment whose settings it has.", metavar="ENV")
    ],
    ttl: Annotated[
        str,
        typer.Option(
            "--ttl", help="How long it may be there: 90m, 2h, 1h30m, a UTC moment.", metavar="TIME"
        ),
    ] = "2h",
    owner: Annotated[
        str | None,
        typer.Option("--owner", help="Whose it is; by default the job of CI, or you."),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave it up where all went well, until `env down` or reaped."),
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not measure the tier before the command.")
    ] = False,
    settings: SetOption = None,
    target: TargetOption = None,
    dr: DrOption = None,
    allow_unmet: AllowUnmetOption = False,
    infrastructure: Annotated[
        Infrastructure | None,
        typer.Option("--infrastructure", help="Override what declares the hosts: a cloud."),
    ] = None,
    accept_host_keys: Annotated[
        bool,
        typer.Option(
            "--accept-host-keys", help="Believe hosts of a cloud that are reached by SSH."
        ),
    ] = False,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", help=f"Add Markdown to this file, as to ${SUMMARY}."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write JUnit XML: steps and checks as cases.")
    ] = None,
    output: OutputOption = Output.TABLE,
    command: Annotated[
        list[str] | None,
        typer.Argument(help="After `--`: what runs in it, and its words.", metavar="COMMAND"),
    ] = None,
) -> None:
    """Make an environment that ends, verify it, run a command in it, take it away.

    It has another environment's settings, and no file. It is taken away at the end, by a step
    that fails, a signal, or when its time is over; what a killed job leaves, `env reap` takes.
    The command is told by variables where it is (OPSCTL_ENVIRONMENT, and
    OPSCTL_AT_POSTGRES_A_SQL for each port). Exit codes: the command's own; 1 a step failed,
    2 refused, 3 the tier was missed, 124 its time was over, 130 and 143 cancelled.
    """
    from datetime import UTC, datetime

    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.ephemeral import cloud, life, making
    from opsctl.ephemeral import junit as junit_
    from opsctl.ephemeral.reaping import make_room
    from opsctl.ephemeral.summary import markdown

    now = datetime.now(UTC)
    wanted = making.made(
        name,
        base=base,
        owner=making.owner() if owner is None else owner,
        lasting=ttl,
        overrides={
            **flags(settings, target, dr, allow_unmet),
            **({"infrastructure": infrastructure.value} if infrastructure else {}),
        },
        now=now,
    )
    if command and shutil.which(command[0]) is None:
        raise UsageError(f"there is no program {command[0]!r}", hint="name one, then its words")
    pages = [path for path in (summary, os.environ.get(SUMMARY)) if path]
    for path in (*pages, *([junit] if junit else [])):
        _writable(Path(path))
    cloud.refuse(wanted, accept_host_keys=accept_host_keys)
    make_room(wanted, means(), Shown(), now)
    asked = life.Asked(
        environment=wanted,
        base=base,
        command=tuple(command or ()),
        verify=not no_verify,
        keep=keep,
        accept_host_keys=accept_host_keys,
        # What is printed as JSON has standard output for itself.
        output=STDERR if output is Output.JSON else None,
    )
    found = life.live(asked, means(life.PROBES), Shown())
    for path in pages:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown(found))
    if junit is not None:
        junit.write_text(junit_.xml(found), encoding="utf-8")
    for line in (f"error: {found.error}" if found.error else "", *found.details):
        if line:
            say(line)
    if found.hint:
        say(f"  hint: {found.hint}")
    emit(found, output, lambda: _table(found))
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _writable(path: Path) -> None:
    try:
        path.open("a").close()
    except OSError as fault:
        raise UsageError(
            f"{path} cannot be written: {fault.strerror}", hint="name a file in a folder that is"
        ) from fault


def _table(found: Up) -> RenderableType:
    shown = Table("step", "verdict", "seconds", "")
    for step in found.steps:
        verdict = Text(step.verdict, _STYLES.get(step.verdict, "red"))
        shown.add_row(step.name, verdict, f"{step.duration_s:.1f}", Text(step.detail))
    failed = found.verification.checks if found.verification else ()
    checks = [Text(f"{c.name}: {c.detail}", "red") for c in failed if c.verdict == "failed"]
    stands = f"; it stands until {found.expires:%Y-%m-%dT%H:%M:%SZ}" if found.left else ""
    head = f"{found.environment}: {found.verdict} in {found.duration_s:.1f} s{stands}"
    more = [Text(f"take it away: opsctl env down {found.environment}")] if found.left else []
    return Group(shown, *checks, Text(head), *more)
