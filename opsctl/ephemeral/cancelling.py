"""SIGINT and SIGTERM while an environment is up: noted, and it comes down whatever else they do."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Cancelled(Exception):
    """A signal ends what `Cancellation.ending` surrounds."""


class Cancellation:
    """Notes the first signal; CI soon sends a second. Neither keeps anything from coming down."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Announce a signal through `say`."""
        self._say = say
        self._before: dict[signal.Signals, Any] = {}
        self._raises = False
        self.by: signal.Signals | None = None

    def __enter__(self) -> Self:
        """Take the signals over; outside the main thread Python has none to take."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._noted) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def note(self, number: int) -> None:
        """Take a signal that somebody else has caught."""
        self.by = self.by or signal.Signals(number)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Have a signal end what is done within by `Cancelled`; also one that came before."""
        self._raises = True
        try:
            if self.by is not None:
                raise Cancelled
            yield
        finally:
            self._raises = False

    def _noted(self, number: int, _frame: FrameType | None) -> None:
        if self.by is None:
            self.by = signal.Signals(number)
            self._say(f"{self.by.name}: taking the environment away")
        else:
            self._say("it is being taken away already; what is killed is left to `opsctl env reap`")
        if self._raises:
            self._raises = False
            raise Cancelled
