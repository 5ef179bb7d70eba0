"""The trading floor: commands to lines, lines to the record, and only then to the firm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from prometheus_client import Counter

from apps.core.fix import Pair
from apps.venue import metrics, wire
from apps.venue.commands import Command
from apps.venue.engine import decide
from apps.venue.lines import CancelReject, Event, Execution, Reject
from apps.venue.record import Record
from apps.venue.state import State

Send = Callable[[Sequence[str], str, list[Pair]], object]
"""Hands a message of a type to the FIX engine, for sessions that may be logged out."""


class Floor:
    """Joins engine, state and record; what it has to say waits for `flush`."""

    def __init__(
        self, state: State, record: Record, drop_copies: tuple[str, ...], send: Send
    ) -> None:
        """Trade on a state that was replayed from the record."""
        self.state = state
        self._record, self._drop_copies, self._send = record, drop_copies, send
        self._groups: list[list[Event]] = []
        self._said: list[Callable[[], object]] = []

    def do(self, command: Command, at_ns: int) -> None:
        """Decide a command and take its lines over; they are neither recorded nor told yet."""
        lines = decide(self.state, command, at_ns)
        self.note(*lines)

    def note(self, *lines: Event) -> None:
        """Take over the lines of one command."""
        if lines:
            for line in lines:
                self.state.apply(line)
                _count(line)
            self._groups.append(list(lines))
            self._said.extend(partial(self._report, line) for line in lines)

    def say(self, do: Callable[..., object], *words: Any) -> None:
        """Say something that is no event, in its turn: after what was recorded before it."""
        self._said.append(partial(do, *words))

    def flush(self) -> None:
        """Write the record, then say everything; an OSError of the record is fatal."""
        if self._groups:
            self._record.append(self._groups)
            self._groups.clear()
        said, self._said = self._said, []
        for say in said:
            say()

    def report(self, line: Event, *sessions: str, resent: bool = False) -> None:
        """Hand the report of a recorded line to sessions."""
        kind, body = wire.message(line, resent=resent)
        self._send(sessions, kind, body)

    def _report(self, line: Event) -> None:
        sessions = wire.audience(line, self._drop_copies)
        if sessions:
            self.report(line, *sessions)


def _count(line: Event) -> None:
    _lines(type(line)).inc()
    if isinstance(line, Reject | CancelReject):
        metrics.REFUSED.labels(line.reason.value).inc()
    elif isinstance(line, Execution) and not line.maker:
        metrics.SHARES.inc(line.qty)


@cache
def _lines(kind: type[Event]) -> Counter:
    """Return the count of lines of a kind: to look for it takes longer than to count."""
    return metrics.LINES.labels(str(kind.__struct_config__.tag))
