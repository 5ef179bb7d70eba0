"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.drills.reporting.document import (
    Block,
    Bullets,
    Code,
    Document,
    Figure,
    Folded,
    Heading,
    Table,
    Text,
)


def render(document: Document) -> str:
    """Return a document; ends with a newline."""
    parts = [f"# {_plain(document.title)}"]
    parts += ["\n".join(_lines(block, 2)) for block in document.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _lines(block: Block, level: int) -> Iterator[str]:
    match block:
        case Heading(text):
            yield f"{'#' * level} {_plain(text)}"
        case Text(text, strong):
            yield f"**{_plain(text)}**" if strong else _plain(text)
        case Bullets(items):
            yield from (f"- {_plain(item)}" for item in items)
        case Table(head, rows, right, _):
            yield _row(head)
            yield "|" + "|".join("---:" if n in right else "---" for n in range(len(head))) + "|"
            yield from map(_row, rows)
        case Code(lines):
            fence = "```" if not any("```" in line for line in lines) else "~~~~"
            yield from (fence, *lines, fence)
        case Figure(_, says):
            yield f"*{_plain(says)}*"
        case Folded(title, _, blocks):
            yield f"{'#' * (level + 1)} {_plain(title)}"
            for inner in blocks:
                yield ""
                yield from _lines(inner, level + 1)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Return a text on one line, so that what was recorded cannot make markup of its own."""
    return " ".join(text.split()).replace("<", "&lt;")
