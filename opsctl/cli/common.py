"""What commands share: the environment they act on, and how results are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console, RenderableType

from opsctl.model.tiers import LatencyTier

progress = Console(stderr=True)
"""Progress goes to stderr; works without a terminal."""


class Output(StrEnum):
    """How a result is shown."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How the result is shown on stdout.")
]
EnvironmentArgument = Annotated[
    str | None, typer.Argument(help="The environment: the NAME of Pulumi.NAME.yaml.", metavar="ENV")
]
TierOption = Annotated[
    LatencyTier | None, typer.Option("--tier", help="Pick the environment of this latency tier.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Answer questions with yes.")]


def emit(result: BaseModel, output: Output, table: Callable[[], RenderableType]) -> None:
    """Print a result on stdout, as JSON or as the table that `table` makes."""
    if output is Output.JSON:
        sys.stdout.write(result.model_dump_json(indent=2) + "\n")
    else:
        # An ARN has `:secret:` in it, which is no picture.
        Console(emoji=False).print(table())


def say(text: str) -> None:
    """Tell progress, one line as it is: no markup, no breaks."""
    progress.print(text, markup=False, highlight=False, soft_wrap=True)


def report(name: str, text: str) -> None:
    """Tell the progress of one of several things."""
    say(f"{name}: {text}")


def confirm(question: str, *, yes: bool) -> bool:
    """Return the answer to a question: yes by `--yes`, asked on a terminal, else no."""
    if yes:
        return True
    return sys.stdin.isatty() and typer.confirm(question, err=True)
