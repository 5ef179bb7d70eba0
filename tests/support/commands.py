"""Writes docs/commands.md from the command line itself.

python -m tests.support.commands --write
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from opsctl.cli.main import COMMANDS, load
from tests.support import generated

PAGE = generated.DOCS / "commands.md"


def page(_current: str = "") -> str:
    """Return the page: every command with its help, arguments and options."""
    lines = [
        "# Commands",
        "",
        "Made by `make docs` from the command line itself. Exit codes: 0 done, 1 failed, 2 usage,",
        "3 unhealthy or objective missed. Results go to stdout (`--output json` for machines),",
        "progress to stderr.",
    ]
    panel = ""
    for entry in COMMANDS:
        if entry.panel != panel:
            panel = entry.panel
            lines += ["", f"## {panel}"]
        lines += _command(f"opsctl {entry.name}", load(entry.name))
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    yield from ("", f"### `{name}`", "", _text(command.help))
    if command.epilog:
        yield from ("", _text(command.epilog))
    inner = getattr(command, "commands", None)
    if inner:
        for word, child in inner.items():
            yield from _command(f"{name} {word}", child)
        return
    rows = [row for parameter in command.params if (row := _parameter(parameter))]
    if rows:
        yield from ("", "| | |", "|---|---|", *rows)


def _parameter(parameter: Any) -> str:
    if parameter.name == "help":
        return ""
    if parameter.param_type_name == "argument":
        return f"| `{(parameter.metavar or parameter.name).upper()}` | {_text(parameter.help)} |"
    flags = ", ".join(f"`{flag}`" for flag in parameter.opts)
    return f"| {flags} | {_text(parameter.help)} |"


def _text(help_text: str | None) -> str:
    plain = re.sub(r"\[/?bold\]", "`", help_text or "")
    return " ".join(plain.replace("|", "\\|").replace("\b", "").split())


if __name__ == "__main__":
    sys.exit(generated.main(PAGE, page))
