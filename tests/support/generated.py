"""Pages that are written from the code: whole, or below a head that a person wrote."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def below(mark: str, current: str, lines: Iterable[str]) -> str:
    """Return a page: what stands before the mark, the mark, and lines in place of what followed."""
    head, found, _ = current.partition(mark)
    if not found:
        raise SystemExit(f"the page has lost its mark: {mark.strip()}")
    return head + mark + "\n".join(lines) + "\n"


def main(page: Path, written: Callable[[str], str]) -> int:
    """Write a page with `--write`, else say whether it is current; `written` makes it anew."""
    current = page.read_text()
    fresh = written(current)
    if sys.argv[1:] == ["--write"]:
        page.write_text(fresh)
        return 0
    if current != fresh:
        print(f"docs/{page.name} is not current: make docs", file=sys.stderr)
        return 1
    return 0
