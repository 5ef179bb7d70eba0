"""The command line: which commands there are, and how their errors are shown.

A command's module is imported only when it runs, so that `opsctl --help` stays fast.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from opsctl import __version__
from opsctl.errors import Interrupted, OpsctlError


@dataclass(frozen=True)
class Entry:
    """One command: its panel in the help, and its one line there."""

    name: str
    panel: str
    help: str


ENVIRONMENTS, RUNNING, RECOVERY, MACHINES = "Environments", "Running", "Recovery", "Machines"

COMMANDS = (
    Entry(
        "env",
        ENVIRONMENTS,
        "List, show, make and check environments; up, down and reap those that end.",
    ),
    Entry("plan", ENVIRONMENTS, "Show what deploy would change."),
    Entry(
        "deploy", ENVIRONMENTS, "Bring an environment up, wait for health, verify, leave evidence."
    ),
    Entry("rollback", ENVIRONMENTS, "Go back to what an earlier run had deployed."),
    Entry("destroy", ENVIRONMENTS, "Stop an environment and remove it; the evidence stays."),
    Entry(
        "stack",
        ENVIRONMENTS,
        "The infrastructure of an environment: outputs, drift, history, state, repair, snapshots.",
    ),
    Entry("status", RUNNING, "Show the services of an environment."),
    Entry("health", RUNNING, "Probe every service with real work."),
    Entry("logs", RUNNING, "Show the logs of services."),
    Entry("open", RUNNING, "Open the dashboard."),
    Entry(
        "verify", RUNNING, "Measure that the latency tier is met, and check every app's contract."
    ),
    Entry("halt", RUNNING, "Kill switch: no order leaves from now on."),
    Entry("resume", RUNNING, "Release the kill switch."),
    Entry("failover", RECOVERY, "Move the order path to another site."),
    Entry("failback", RECOVERY, "Hand the order path back to the environment's first site."),
    Entry("drill", RECOVERY, "Break an environment on purpose, and measure how it goes on."),
    Entry("evidence", RECOVERY, "List, show and verify what every change left."),
    Entry(
        "provision",
        MACHINES,
        "Apply the profile of each box's latency tier over SSH, idempotently, and audit it.",
    ),
    Entry("audit", MACHINES, "Read back from boxes whether every setting of their profile holds."),
    Entry(
        "toolchain",
        MACHINES,
        "The programs that opsctl drives: list, install, check, export, import.",
    ),
    Entry(
        "images",
        MACHINES,
        "The images of apps and servers: list, build, push, scan, save, load.",
    ),
)


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and help, and imports the one that runs."""

    def __init__(self, **attributes: Any) -> None:
        """Know every command by a stand-in that carries its help line."""
        super().__init__(**attributes)
        self.commands = {entry.name: _stand_in(entry) for entry in COMMANDS}

    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C ends it as an error of opsctl, not as a silent exit 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise Interrupted(
                "stopped by Ctrl-C", hint="the next deploy or destroy continues"
            ) from stop

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the overview of all commands."""
        from opsctl.cli.overview import overview

        options = [row for p in self.get_params(ctx) if (row := p.get_help_record(ctx))]
        panels = {"Options": options}
        for entry in COMMANDS:
            panels.setdefault(entry.panel, []).append((entry.name, entry.help))
        usage = f"Usage: {ctx.command_path} [OPTIONS] COMMAND [ARGS]..."
        # Printed here, not written to the formatter: typer shows what a bare `opsctl` raises
        # by its rich help, which prints, and drops what the formatter holds.
        print(overview(usage, str(self.help), list(panels.items()), str(self.epilog)))

    def resolve_command(
        self, ctx: Any, args: list[str]
    ) -> tuple[str | None, TyperCommand | None, list[str]]:
        """Return the real command that was named."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, load(name) if found and name else None, rest


def _stand_in(entry: Entry) -> TyperCommand:
    return TyperCommand(
        entry.name, help=entry.help, short_help=entry.help, rich_help_panel=entry.panel
    )


def load(name: str) -> Any:
    """Return a command, imported from its module."""
    module: Any = importlib.import_module(f"opsctl.cli.{name}")
    command = typer.main.get_command(module.app)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Deploy institutional trading platforms, and prove that their tiers are met.",
    epilog="A first try: opsctl deploy --tier daily",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"opsctl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _show_version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log to stderr as well."),
) -> None:
    """Deploy institutional trading platforms, and prove that their tiers are met."""
    from opsctl.cli.journal import start

    start(verbose=verbose)


def main() -> None:
    """Run the command line; show an error as one line with its hint, and exit with its code."""
    try:
        app(standalone_mode=True)
    except OpsctlError as error:
        _show(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C; the next deploy or destroy continues", file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last resort: one line, and the trace in a log
        from opsctl.cli.journal import unexpected

        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"  this is a fault of opsctl; the trace is in {unexpected(error)}", file=sys.stderr)
        sys.exit(1)


def _show(error: OpsctlError) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    for line in error.details:
        print(f"  {line}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
