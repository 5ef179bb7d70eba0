"""A report as one HTML file: no script, no network, in light and dark, and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources

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

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(document: Document) -> str:
    """Return a document."""
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    cards = "".join(
        f'<div class="card"><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
        for name, value in document.cards
    )
    body = "\n".join(_sections(document.blocks))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f'<body data-verdict="{escape(document.verdict)}">\n<main>\n'
        f'<header><h1>{escape(document.title)}</h1><p class="verdict">'
        f"{escape(document.verdict)}</p></header>\n"
        f"{f'<dl>{cards}</dl>' if cards else ''}\n{body}\n</main>\n</body>\n</html>\n"
    )


def _sections(blocks: Iterable[Block]) -> Iterator[str]:
    opened = False
    for block in blocks:
        if isinstance(block, Heading):
            if opened:
                yield "</section>"
            yield "<section>"
            opened = True
        yield _html(block)
    if opened:
        yield "</section>"


def _html(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Text(text, strong):
            return f"<p><strong>{escape(text)}</strong></p>" if strong else f"<p>{escape(text)}</p>"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
        case Table():
            return _table(block)
        case Code(lines):
            return f"<pre>{escape(chr(10).join(lines))}</pre>"
        case Figure(svg, says):
            return f"<figure>{svg}<figcaption>{escape(says)}</figcaption></figure>"
        case Folded(title, anchor, blocks):
            inner = "\n".join(map(_html, blocks))
            return (
                f'<details id="{escape(anchor)}"><summary>{escape(title)}</summary>'
                f"\n{inner}\n</details>"
            )


def _table(table: Table) -> str:
    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="n"' if column in table.right else ""
        return f"<{tag}{kind}>{text}</{tag}>"

    head = "".join(cell("th", n, escape(text)) for n, text in enumerate(table.head))
    rows = []
    for number, row in enumerate(table.rows):
        texts = [escape(text) for text in row]
        if table.anchors:
            texts[0] = f'<a href="#{escape(table.anchors[number])}">{texts[0]}</a>'
        rows.append(f"<tr>{''.join(cell('td', n, text) for n, text in enumerate(texts))}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>"
    )
