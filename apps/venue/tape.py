"""The tape: the days of a price source, one after the other, never all in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from apps.core.prices import Day, PriceSource, SourceError


class Tape:
    """A price source with a position: the day that the venue stands at."""

    def __init__(self, source: PriceSource, start: date) -> None:
        """Prepare a tape whose live days begin at `start`; `begin` or `go_on` opens it."""
        self.source = source
        self._start = start
        self._ahead: Iterator[Day] = iter(())
        self._next: Day | None = None

    def begin(self) -> Day:
        """Return the first live day and stand at it; `SourceError` where there is none."""
        self._ahead = self.source.days()
        last: Day | None = None
        for day in self._ahead:
            if day.day >= self._start:
                self._next = next(self._ahead, None)
                return day
            last = day
        ends = f"; its last is {last.day}" if last else ""
        raise SourceError(f"{self.source.name} has no day from {self._start} on{ends}")

    def go_on(self, seq: int, day: date) -> None:
        """Stand at a day again; `SourceError` where the source has another one there."""
        self._ahead = self.source.days(seq)
        found = next(self._ahead, None)
        if found is None or found.day != day:
            there = found.day if found else "no day"
            raise SourceError(
                f"{self.source.name} has {there} at sequence {seq} where the record has {day}:"
                " the tape was changed; go on with the former one, or begin a new record"
            )
        self._next = next(self._ahead, None)

    @property
    def ended(self) -> bool:
        """Whether no further day comes."""
        return self._next is None

    def advance(self) -> Day | None:
        """Move to the next day and return it; None at the tape's end."""
        day = self._next
        if day is not None:
            self._next = next(self._ahead, None)
        return day

    def between(self, first: int, last: int) -> Iterator[Day]:
        """Return the days of two sequences and all between them."""
        for day in self.source.days(max(first, 0)):
            if day.seq > last:
                return
            yield day
