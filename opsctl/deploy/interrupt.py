"""Ctrl-C stops a change at its next safe point, not in the middle of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from opsctl.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Turns SIGINT and SIGTERM into a request that `check` honours; a second one ends at once.

    Whatever instant that is, the records on disk lead the next command on: the deferral is
    there for a tidy end, not for safety.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """Announce a request through `say`."""
        self._say = say
        self._before: dict[signal.Signals, Any] = {}
        self.requested: signal.Signals | None = None

    def __enter__(self) -> Self:
        """Take the signals over; outside the main thread Python has none to take."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give the signals back, with one that no safe point has met, to who had them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        before = self._before.get(self.requested) if self.requested and kind is None else None
        if callable(before) and before is not signal.default_int_handler:
            before(self.requested, None)

    def check(self, reached: str) -> None:
        """Be a safe point: raise `Interrupted` where a stop was requested; `reached` says how far.

        Raises:
            Interrupted: a signal came since the start.
        """
        if self.requested is not None:
            raise Interrupted(
                f"stopped by {self.requested.name}: {reached}",
                hint="the next deploy or destroy continues from here",
                signal=self.requested,
            )

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested is not None:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number)
        self._say("stopping at the next safe point; once more stops at once")
