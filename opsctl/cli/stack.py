"""`opsctl stack`: the infrastructure that an environment declares, as its state knows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel
from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from opsctl.cli.common import (
    EnvironmentArgument,
    Output,
    OutputOption,
    TierOption,
    YesOption,
    emit,
    report,
    say,
)
from opsctl.cli.guards import LiveOption, ask, guard_live
from opsctl.cli.stack_discover import discover
from opsctl.cli.stack_snapshot import snapshot
from opsctl.errors import UsageError
from opsctl.model.tiers import LatencyTier

if TYPE_CHECKING:
    from opsctl.infra.engine import Engine
    from opsctl.infra.results import StackDrift
    from opsctl.model.environment import Environment

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="The infrastructure of an environment: outputs, drift, history, state, repair, snapshots.",
    epilog="Example: [bold]opsctl stack drift daily[/bold]",
)

DRIFT = 3

app.command(
    "discover",
    epilog="Example: [bold]opsctl stack discover site/inventory.yml --to Pulumi.ny.yaml[/bold]",
)(discover)


app.command("snapshot", epilog="Example: [bold]opsctl stack snapshot books --days 14[/bold]")(
    snapshot
)


@app.command("outputs", epilog="Example: [bold]opsctl stack outputs daily --output json[/bold]")
def outputs(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what the last update handed out: hosts, addresses, buckets; secrets are masked."""
    from opsctl.infra.results import StackOutputs

    chosen, engine = _engine(environment, tier)
    found = StackOutputs(environment=chosen.name, outputs=engine.outputs())

    def table() -> Table:
        shown = Table("output", Column("value", overflow="fold"))
        for name, each in found.outputs.items():
            shown.add_row(name, Text(str(each.value)))
        return shown

    emit(found, output, table)


@app.command("drift", epilog="Example: [bold]opsctl stack drift daily[/bold]")
def drift(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Look at every resource, and show what is not as it was declared; exit 3 on a difference.

    Nothing is changed, neither what is there nor the state.
    """
    from opsctl.infra.results import StackDrift

    chosen, engine = _engine(environment, tier)
    seen = engine.drift()
    found = StackDrift(
        environment=chosen.name,
        verdict="drift" if seen.changes else "none",
        resources=seen.changes,
        looked_at=sum(each.custom for each in seen.resources),
    )
    emit(found, output, lambda: _drift_table(found))
    if found.verdict == "drift":
        raise typer.Exit(DRIFT)


@app.command("history", epilog="Example: [bold]opsctl stack history daily[/bold]")
def history(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many; 0 for all.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the updates of the stack, the latest first."""
    from opsctl.infra.results import StackHistory

    chosen, engine = _engine(environment, tier)
    updates = engine.history()
    found = StackHistory(environment=chosen.name, updates=updates[: limit or None])

    def table() -> Table:
        shown = Table("version", "what", "result", "started", "changes")
        for each in found.updates:
            changes = ", ".join(f"{count} {what}" for what, count in sorted(each.changes.items()))
            started = f"{each.started:%Y-%m-%dT%H:%M:%SZ}"
            shown.add_row(str(each.version), each.kind, each.result, started, changes)
        return shown

    emit(found, output, table)


@app.command("export", epilog="Example: [bold]opsctl stack export daily state.json[/bold]")
def export(
    environment: Annotated[str, typer.Argument(help="The environment.", metavar="ENV")],
    file: Annotated[Path, typer.Argument(help="Where the state is written, readable by you only.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Write the state of the stack into a file; secrets in it stay encrypted."""
    from opsctl.infra import states

    chosen, engine = _engine(environment, None)
    _emit_fields(states.export(chosen.name, engine, file), output)


@app.command("import", epilog="Example: [bold]opsctl stack import daily state.json --yes[/bold]")
def import_(
    environment: Annotated[str, typer.Argument(help="The environment.", metavar="ENV")],
    file: Annotated[Path, typer.Argument(help="A file of `opsctl stack export`.")],
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put another state in the place of the stack's; what it was before is kept in a file.

    What exists is not touched: `opsctl stack drift` then shows what the state does not fit.
    """
    from opsctl import evidence
    from opsctl.infra import states

    chosen, engine = _engine(environment, None)
    state = states.read(chosen.name, file)
    guard_live("stack import", chosen, live=live, yes=yes)
    ask(f"replace the state of {chosen.name} by {file}?", yes=yes)
    with evidence.recorded(
        command="stack import", environment=chosen.name, arguments={"file": str(file)}
    ) as run:
        found = states.replace(chosen.name, engine, state, file)
        run.result = found.model_dump(mode="json")
    _emit_fields(found, output)


@app.command("repair", epilog="Example: [bold]opsctl stack repair daily[/bold]")
def repair(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    made: Annotated[
        list[str] | None,
        typer.Option(
            "--made",
            metavar="NAME=ID",
            help="What a killed update was making exists, under this id. May be repeated.",
        ),
    ] = None,
    not_made: Annotated[
        list[str] | None,
        typer.Option(
            "--not-made",
            metavar="NAME",
            help="What a killed update was making does not exist. May be repeated.",
        ),
    ] = None,
    break_lock: Annotated[
        bool, typer.Option("--break-lock", help="Take the lock away, whoever holds it.")
    ] = False,
    live: LiveOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Settle what a killed update left: its processes, its lock, what it was doing, its state.

    What it was making is looked up and taken over, or forgotten where it does not exist;
    nothing is made or deleted.
    """
    from opsctl import evidence, infra
    from opsctl.infra.pending import said
    from opsctl.infra.results import StackRepaired

    exists = dict(_pair(word) for word in made or ())
    chosen, engine = _engine(environment, tier)
    guard_live("stack repair", chosen, live=live, yes=yes)
    if break_lock:
        ask(f"take the lock of {chosen.name} away, though an update may be running?", yes=yes)
    lookup = said(exists, tuple(not_made or ()), infra.program(chosen).lookup)
    arguments = {"made": exists, "not_made": not_made or [], "break_lock": break_lock}
    with evidence.recorded(
        command="stack repair", environment=chosen.name, arguments=arguments
    ) as run:
        mended = engine.repair(lookup, break_lock=break_lock)
        found = StackRepaired(environment=chosen.name, mended=mended)
        run.result = found.model_dump(mode="json")

    def table() -> Table:
        shown = Table("what", "name", "found", "done")
        for each in found.mended:
            shown.add_row(each.what, each.name, each.found, each.done)
        return shown

    emit(found, output, table)
    if not mended:
        say("nothing was broken")


def _engine(name: str | None, tier: LatencyTier | None) -> tuple[Environment, Engine]:
    """Return an environment and the engine of its stack; Pulumi is obtained where it is missing."""
    from opsctl import infra
    from opsctl.environments import find, load
    from opsctl.toolchain import changes

    chosen = load(find(name, tier)).environment
    declared = infra.program(chosen)
    changes.install(("pulumi",), report)
    return chosen, infra.open_engine(declared, say)


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    if not name or not value:
        raise UsageError(f"--made {word} is no NAME=ID", hint="such as --made main=vpc-0a1b2c3d")
    return name, value


def _emit_fields(result: BaseModel, output: Output) -> None:
    """Print a result of a few values."""

    def table() -> Table:
        shown = Table("", Column(overflow="fold"), show_header=False, box=None, pad_edge=False)
        for name, value in result.model_dump(mode="json").items():
            shown.add_row(name, "" if value is None else str(value))
        return shown

    emit(result, output, table)


def _drift_table(found: StackDrift) -> RenderableType:
    if not found.resources:
        return f"{found.environment}: {found.looked_at} resources are as they were declared"
    folds = (Column(name, overflow="fold") for name in ("property", "declared", "there"))
    shown = Table("resource", "what", *folds)
    for each in found.resources:
        what = "is gone" if each.action == "delete" else "is another"
        shown.add_row(f"{each.name} ({each.type})", what, "", "", "")
        for one in each.properties:
            shown.add_row("", "", one.path, str(one.old), str(one.new))
    return shown
