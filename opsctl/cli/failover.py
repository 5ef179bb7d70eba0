"""`opsctl failover`: move the order path to another site."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from opsctl.cli.common import (
    EnvironmentArgument,
    Output,
    OutputOption,
    TierOption,
    YesOption,
    emit,
    progress,
)
from opsctl.cli.guards import LiveOption, guard_live
from opsctl.cli.selection import deployed

if TYPE_CHECKING:
    from opsctl.recovery import Failover

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_VERDICTS = {"done": "green", "refused": "yellow", "failed": "red"}


@app.command(epilog="Example: [bold]opsctl failover intraday --to b[/bold]")
def failover(
    to: Annotated[str, typer.Option("--to", help="The site that is to lead.", metavar="SITE")],
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    emergency: Annotated[
        bool,
        typer.Option(
            "--emergency/--planned",
            help="Ask the leader to hand over (planned, the default), or take the order path "
            "from one that is dead, frozen or out of reach.",
        ),
    ] = False,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Move the order path to another site.

    Planned: every check must pass, then the leader drains and hands its epoch over; after
    5 s without an answer the request is withdrawn. Emergency: goes past every check but
    those without which nobody would lead, and says which. Exits 0 when a heartbeat of the
    new epoch was seen, 3 when a check or the leader refused and nothing was moved, 1 when
    it failed or took too long.
    """
    from opsctl.evidence.runs import who
    from opsctl.recovery import failover as move
    from opsctl.targets import open_target

    found = deployed(environment, tier, "failover")
    guard_live("failover", found, live=live, yes=yes)
    result = move(
        found,
        open_target(found),
        to=to,
        mode="emergency" if emergency else "planned",
        by=who(),
        show=lambda result: show(result, output),
        say=say,
    )
    leave(result)


def say(text: str) -> None:
    """Show progress."""
    progress.print(text, markup=False, soft_wrap=True)


def show(result: Failover, output: Output) -> None:
    """Print what came of it, at once."""
    emit(result, output, lambda: table(result))
    sys.stdout.flush()


def leave(result: Failover) -> None:
    """Return where it is done; else say what to do next, and exit with the verdict's code."""
    from opsctl.recovery.failover import EXIT

    if result.verdict == "done":
        return
    hint = f"opsctl health {result.environment} shows what is wrong"
    if result.mode == "planned" and result.verdict == "refused":
        hint += "; --emergency goes past what the leader cannot answer for"
    print(f"  hint: {hint}", file=sys.stderr)
    raise typer.Exit(EXIT[result.verdict])


def table(result: Failover) -> Table:
    """Return the verdict and what led to it."""
    shown = Table(show_header=False, title=Text(sentence(result), style=_VERDICTS[result.verdict]))
    for name, text in _rows(result):
        shown.add_row(name, Text(text))
    return shown


def sentence(result: Failover) -> str:
    """Return what the command did, for a reader."""
    name, to = result.environment, result.to_site
    if result.verdict == "refused":
        return f"{name}: {result.mode} failover to {to} refused, nothing was moved"
    if result.verdict == "failed":
        return f"{name}: {result.mode} failover to {to} failed"
    if result.handover_ms is None:
        return f"{name}: {to} leads already"
    return f"{name}: {to} leads epoch {result.epoch} after {result.handover_ms:.1f} ms"


def _rows(result: Failover) -> Iterator[tuple[str, str]]:
    if result.from_site is not None:
        yield "led before", f"{result.from_site}, epoch {result.from_epoch}"
    if result.epoch is not None:
        yield "epoch now", str(result.epoch)
    if result.detail:
        yield "because", result.detail
    yield from ((f"refused: {r.check}", r.reason) for r in result.refusals)
    yield from ((f"gone past: {r.check}", r.reason) for r in result.overridden)
    yield from ((f"not checked: {r.check}", r.reason) for r in result.skipped)
    yield from (("note", note) for note in result.notes)
    yield "by", f"{result.by}, {result.at:%Y-%m-%dT%H:%M:%SZ}"
