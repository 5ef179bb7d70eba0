"""What a report consists of: blocks, which each form renders its own way; pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph; `strong` is what must not be overlooked."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of text; `right` numbers the columns that hold figures.

    `anchors` names a row that other parts refer to, one for each row where it is given.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    anchors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Code:
    """Lines to be read or typed as they are."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A drawing, and what it says to those who do not see it."""

    svg: str
    says: str


@dataclass(frozen=True)
class Folded:
    """Blocks that are opened on demand, and named."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]


Block = Heading | Text | Bullets | Table | Code | Figure | Folded


@dataclass(frozen=True)
class Document:
    """A report; `verdict` colours it, `cards` are its key figures (name, value)."""

    title: str
    verdict: str
    blocks: Sequence[Block]
    cards: Sequence[tuple[str, str]] = field(default=())


def ms(value: float | None) -> str:
    """Return milliseconds as text."""
    return "not measured" if value is None else f"{value:.1f} ms"
