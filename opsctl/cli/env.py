"""`opsctl env`: the environments of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli import env_reap, env_up
from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, YesOption, emit
from opsctl.cli.guards import LiveOption, guard_live
from opsctl.cli.selection import (
    AllowUnmetOption,
    DrOption,
    SetOption,
    TargetOption,
    deployed,
    flags,
    mend,
    tell,
)
from opsctl.errors import UsageError
from opsctl.model.environment import TargetName
from opsctl.model.tiers import DrTier, LatencyTier

if TYPE_CHECKING:
    from opsctl.deploy.outcome import Rotated
    from opsctl.model.results import EnvironmentCheck, EnvironmentList, EnvironmentShown

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="List, show, make and check environments; up, down and reap those that end.",
    epilog="Example: [bold]opsctl env show daily[/bold]",
)

_STYLES = {"passed": "green", "failed": "red"}


@app.command("list", epilog="Example: [bold]opsctl env list --output json[/bold]")
def list_environments(output: OutputOption = Output.TABLE) -> None:
    """List the environments of this project: tiers, target, and whether the file is sound."""
    from opsctl.environment_files import overview

    found = overview()
    emit(found, output, lambda: _list_table(found))


def _list_table(found: EnvironmentList) -> RenderableType:
    shown = Table("environment", "tier", "dr", "target", "live", "file", "check")
    for row in found.environments:
        check = Text(f"{row.faults} faults", "red") if row.faults else Text("sound", "green")
        words = (row.environment, row.tier or "?", row.dr or "?", row.target or "?")
        shown.add_row(*map(Text, words), "live" if row.live else "", Text(row.file), check)
    where = f"shipped with opsctl, in {found.folder}" if found.shipped else f"in {found.folder}"
    return Group(shown, Text(where, "dim"), *_found(found))


def _found(found: EnvironmentList) -> list[RenderableType]:
    """Return what the engine has, as a table where it has anything."""
    if not found.found:
        return []
    shown = Table("in the engine", "identity", "containers", "volumes", "", title_justify="left")
    for one in found.found:
        said = one.held_by and f"held by {one.held_by}"
        if not one.has_state:
            said = f"left over: opsctl destroy {one.environment}"
        words = (one.environment, one.identity, str(one.containers), str(one.volumes), said)
        shown.add_row(*map(Text, words))
    return [shown]


@app.command("show", epilog="Example: [bold]opsctl env show daily --set replay.day_s=0[/bold]")
def show(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    settings: SetOption = None,
    target: TargetOption = None,
    dr: DrOption = None,
    allow_unmet: AllowUnmetOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show every value of an environment and where it came from: flag, file, tier default."""
    from opsctl.environment_files import describe
    from opsctl.environments import find, load

    overrides = flags(settings, target, dr, allow_unmet)
    name = find(environment, tier)
    found = describe(load(name, overrides))
    tell(name)
    emit(found, output, lambda: _show_table(found))


def _show_table(found: EnvironmentShown) -> RenderableType:
    # Whole keys on 80 columns, to be copied into a file: no lines, and no meanings but in JSON.
    shown = Table("setting", Column("value", overflow="fold"), "from", box=None, pad_edge=False)
    for value in found.values:
        origin = f"{value.file}:{value.line}" if value.line else value.file or value.origin
        text = str(value.value).lower() if isinstance(value.value, bool) else str(value.value)
        style = "dim" if value.origin == "default" else ""
        shown.add_row(*(Text(word) for word in (value.key, text, origin)), style=style)
    notes = [Text(f"cannot be met: {reason}", "yellow") for reason in found.unmet]
    if found.rehearsal:
        notes.append(Text(f"rehearsal: {found.rehearsal}", "yellow"))
    return Group(shown, *notes)


@app.command("new", epilog="Example: [bold]opsctl env new mine --from daily[/bold]")
def new(
    name: Annotated[str, typer.Argument(help="The new environment's name.", metavar="NAME")],
    base: Annotated[
        str | None,
        typer.Option(
            "--from", help="Extend this one: its values hold where the new file has none."
        ),
    ] = None,
    tier: Annotated[LatencyTier | None, typer.Option("--tier", help="Its latency tier.")] = None,
    dr: Annotated[DrTier | None, typer.Option("--dr", help="Its disaster-recovery tier.")] = None,
    target: Annotated[
        TargetName | None, typer.Option("--target", help="What runs its services.")
    ] = None,
    allow_unmet: AllowUnmetOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write a new environment file, every setting explained; never overwrites one."""
    from opsctl.environment_files import create

    if base is None and tier is None:
        raise UsageError(
            "a new environment needs a tier, or another to extend",
            hint=f"opsctl env new {name} --tier daily, or --from daily",
        )
    made = create(name, extends=base, tier=tier, dr=dr, target=target, allow_unmet=allow_unmet)
    emit(made, output, lambda: Text("\n".join(f"written: {file}" for file in made.files)))


@app.command("check", epilog="Example: [bold]opsctl env check daily[/bold]")
def check(environment: EnvironmentArgument = None, output: OutputOption = Output.TABLE) -> None:
    """Report every fault of one environment, or of all, at once; exit 2 where there is one."""
    from opsctl.environment_files import inspect

    found = inspect(environment)
    emit(found, output, lambda: _check_table(found))
    if found.verdict == "failed":
        raise typer.Exit(2)


def _check_table(found: EnvironmentCheck) -> RenderableType:
    lines: list[Text] = []
    for environment in found.environments:
        verdict, name = environment.verdict, environment.environment
        line = Text.assemble((verdict, _STYLES[verdict]), f"  {name}  ", (environment.file, "dim"))
        lines.append(line)
        lines += [Text(f"  {fault}") for fault in environment.faults]
        if environment.rehearsal:
            lines.append(Text(f"  rehearsal: {environment.rehearsal}", "yellow"))
    return Group(*lines)


@app.command("forget", epilog="Example: [bold]opsctl env forget daily[/bold]")
def forget(
    environment: Annotated[str, typer.Argument(help="The environment's name.", metavar="ENV")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Remove this machine's copy of an environment that lives elsewhere; it runs on.

    The next command takes over what bears the name there. Refused for an environment that
    lives on this machine: `destroy` removes that.
    """
    from opsctl.deploy.forgetting import forget as remove

    found = remove(environment)
    told = f"forgot {found.identity}" if found.identity else "nothing was known of it"
    emit(found, output, lambda: Text(f"{environment}: {told}"))


@app.command("rotate", epilog="Example: [bold]opsctl env rotate intraday[/bold]")
def rotate(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Change an environment's certificate authority for another, and every certificate with it.

    In three steps, each of which is deployed before the next: all trust both authorities; all
    bear certificates of the new one; all trust the new one alone. Where two sites trade, every
    step goes from site to site. Killed on the way, the same command goes on.
    """
    from opsctl.cli.progress import Shown
    from opsctl.deploy.means import means
    from opsctl.deploy.pipeline import Pipeline

    found = deployed(environment, tier, "env rotate")
    guard_live("env rotate", found, live=live, yes=yes)
    mend(found, "env rotate")
    result = Pipeline(means(), Shown()).rotate(found, arguments={})
    emit(result, output, lambda: _rotated_table(result))


def _rotated_table(result: Rotated) -> Table:
    shown = Table(show_header=False)
    shown.add_row("environment", result.environment)
    shown.add_row("runs", ", ".join(result.runs))
    shown.add_row("valid until", f"{result.expires:%Y-%m-%d}")
    shown.add_row("took", f"{result.duration_s:.1f} s")
    return shown


app.command(
    "up",
    epilog="Example: [bold]opsctl env up --from daily --name pr-123 --ttl 2h -- pytest[/bold]",
)(env_up.up)
app.command("down", epilog="Example: [bold]opsctl env down pr-123[/bold]")(env_reap.down)
app.command("reap", epilog="Example: [bold]opsctl env reap --dry-run[/bold]")(env_reap.reap)
