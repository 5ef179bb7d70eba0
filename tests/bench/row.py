"""One line of the table of figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure: what it is, what was wanted, what was measured."""

    name: str
    goal: str
    measured: str
