"""The overview: `opsctl --help`, drawn without rich, whose import costs twice the rest."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

NARROW, WIDE = 60, 100
COLUMN = 10
"""The least width of names, so that the panels of commands line up."""

Row = tuple[str, str]


def overview(usage: str, about: str, panels: Sequence[tuple[str, Sequence[Row]]], end: str) -> str:
    """Return the help of the whole command line: panels of names and what they are for."""
    width = max(NARROW, min(WIDE, shutil.get_terminal_size().columns))
    lines = ["", f" {usage}", "", f" {about}", ""]
    for title, rows in panels:
        column = max(COLUMN, *(len(name) for name, _ in rows))
        lines += _panel(title, _rows(rows, column, width - 4), width)
    return "\n".join([*lines, "", f" {end}"])


def _rows(rows: Iterable[Row], column: int, width: int) -> Iterator[str]:
    for name, text in rows:
        first, *rest = textwrap.wrap(text, width - column - 2) or [""]
        yield f"{name:<{column}}  {first}"
        yield from (" " * (column + 2) + line for line in rest)


def _panel(title: str, lines: Iterable[str], width: int) -> Iterator[str]:
    yield f"╭─ {title} " + "─" * (width - len(title) - 5) + "╮"
    yield from (f"│ {line:<{width - 4}} │" for line in lines)
    yield "╰" + "─" * (width - 2) + "╯"
