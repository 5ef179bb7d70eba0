"""`opsctl drill check`: is a scenario what a scenario has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from opsctl.cli.common import Output, OutputOption, emit

if TYPE_CHECKING:
    from opsctl.drills.outcome import ScenariosChecked

FAULTY = 2


def check(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(help="Names of scenarios, or files; all of them where none is named."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check scenarios: name every fault of a file at once, with its line. Break nothing.

    Exits 2 where a file is faulty.
    """
    from opsctl.drills import checked, names

    found = checked(scenarios or names())
    emit(found, output, lambda: _shown(found))
    if any(each.faults for each in found.scenarios):
        raise typer.Exit(FAULTY)


def _shown(found: ScenariosChecked) -> RenderableType:
    lines: list[Text] = []
    for each in found.scenarios:
        if each.faults:
            lines.append(Text(f"{each.file}: {len(each.faults)} faults", "bold red"))
            lines += [Text(f"  {fault}") for fault in each.faults]
        else:
            lines.append(Text(f"{each.file}: sound", "green"))
    return Group(*lines)
