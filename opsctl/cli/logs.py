"""`opsctl logs`: what the services say."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption
from opsctl.errors import UsageError

if TYPE_CHECKING:
    from opsctl.targets.base import LogLine

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_AGE = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta")


@app.command(epilog="Example: [bold]opsctl logs daily execution --since 5m --grep reject[/bold]")
def logs(
    environment: EnvironmentArgument = None,
    services: Annotated[
        list[str] | None,
        typer.Argument(help="Services by name; all where none is named.", metavar="SERVICE"),
    ] = None,
    tier: TierOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends it.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only what is younger: 30s, 5m, 2h, 1d, or an ISO time."),
    ] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", help="Only lines that match this regular expression.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the logs of services.

    With `--output json` each line is a JSON object of its own.
    """
    from opsctl.cli.selection import standing, wanted
    from opsctl.targets import open_target

    if tier is not None and environment is not None:
        services, environment = [environment, *(services or ())], None
    pattern = matcher(grep)
    oldest = moment(since, datetime.now(UTC)) if since else None
    found = standing(environment, tier) or wanted(environment, tier, {})
    target = open_target(found)
    keys = chosen(services or (), [s.key for s in target.services()])
    lines = target.logs(keys, follow=follow, since=oldest)
    try:
        _print((line for line in lines if pattern.search(line.text)), output)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # the reader has seen enough: `opsctl logs daily | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a quiet last flush


def chosen(names: Sequence[str], keys: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of the named services: `execution` is that service on every site.

    Raises:
        UsageError: a name is no service of the environment.
    """
    found: dict[str, None] = {}
    for name in names:
        fitting = [key for key in keys if name in (key, key.partition("@")[0])]
        if not fitting:
            known = dict.fromkeys(key.partition("@")[0] for key in keys)
            raise UsageError(f"there is no service {name!r}", hint=f"there are {', '.join(known)}")
        found.update(dict.fromkeys(fitting))
    return tuple(found)


def moment(since: str, now: datetime) -> datetime:
    """Return the moment that `5m` (ago) or an ISO time means; without a zone it is UTC.

    Raises:
        UsageError: it is neither.
    """
    age = _AGE.fullmatch(since.strip())
    try:
        if age:
            return now - timedelta(seconds=int(age[1]) * _SECONDS[age[2]])
        named = datetime.fromisoformat(since.strip())
    except (ValueError, OverflowError) as fault:
        raise UsageError(
            f"--since {since} is no time", hint="such as 30s, 5m, 2h, 1d or 2026-01-31T14:30:00Z"
        ) from fault
    return named if named.tzinfo else named.replace(tzinfo=UTC)


def matcher(grep: str | None) -> re.Pattern[str]:
    """Return the pattern of `--grep`; raise `UsageError` where it is no regular expression."""
    try:
        return re.compile(grep or "")
    except re.error as fault:
        raise UsageError(
            f"--grep {grep} is no regular expression: {fault}", hint="quote special signs with \\"
        ) from fault


def _print(lines: Iterable[LogLine], output: Output) -> None:
    show = _json if output is Output.JSON else _Coloured() if sys.stdout.isatty() else _plain
    for line in lines:
        show(line)


def _json(line: LogLine) -> None:
    print(line.model_dump_json(), flush=True)


def _plain(line: LogLine) -> None:
    print(f"{_when(line)}{line.service:<16} {line.text}", flush=True)


class _Coloured:
    """Prints lines on a terminal, each service in a colour of its own."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False)
        self._styles: dict[str, str] = {}

    def __call__(self, line: LogLine) -> None:
        style = self._styles.setdefault(line.service, _COLOURS[len(self._styles) % len(_COLOURS)])
        service = Text(f"{line.service:<16} ", style=style)
        self._console.print(Text.assemble((_when(line), "dim"), service, line.text))


def _when(line: LogLine) -> str:
    return f"{line.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} " if line.at else ""
