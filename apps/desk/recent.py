"""The newest rows of a table, and which of them changed since they were last sent."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

RowT = TypeVar("RowT")


class Recent(Generic[RowT]):
    """The newest rows by key."""

    def __init__(self, keep: int) -> None:
        """Keep so many."""
        self._rows: OrderedDict[str, RowT] = OrderedDict()
        self._keep = keep
        self._changed: dict[str, None] = {}

    def put(self, key: str, row: RowT) -> None:
        """Add a row, or replace the one of this key where it stands."""
        if self._rows.get(key) == row:
            return
        self._rows[key] = row
        self._changed[key] = None
        while len(self._rows) > self._keep:
            oldest, _ = self._rows.popitem(last=False)
            self._changed.pop(oldest, None)

    def get(self, key: str) -> RowT | None:
        """Return the row of a key, where it is kept."""
        return self._rows.get(key)

    def all(self) -> list[RowT]:
        """Return every row, the oldest first."""
        return list(self._rows.values())

    def take(self) -> list[RowT] | None:
        """Return the rows that changed since the last time, None where none did."""
        changed, self._changed = self._changed, {}
        return [self._rows[key] for key in changed] or None
