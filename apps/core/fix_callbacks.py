"""What QuickFIX calls from its own threads: copied out of them, and handed to one loop."""

from __future__ import annotations

import asyncio
import ctypes
import hmac
from collections import deque
from collections.abc import Callable
from typing import Any

import quickfix
import structlog

from apps.core.fix_messages import Event, Logon, Logout, Received, parse

log = structlog.get_logger()

NEVER_RESENT = frozenset("DFG")
"""NewOrderSingle, cancel and replace: the session layer gap-fills them instead of re-sending."""


class Callbacks(quickfix.Application):  # type: ignore[misc]
    """Copies out of the engine's threads, and lets nothing escape into them.

    Events that come while the loop is busy share one wake-up of it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_event: Callable[[Event], None], password: str
    ) -> None:
        """Give `on_event` what happens, on a loop; `password` is what a Logon bears."""
        super().__init__()
        self._loop = loop
        self._on_event = on_event
        self._password = password
        self._last_words: dict[str, str] = {}
        self._posted: deque[Event] = deque()
        self._woken = False

    def _firm(self, session: Any) -> str:
        raise NotImplementedError

    def _post(self, event: Event) -> None:
        self._posted.append(event)
        if self._woken:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._drain)
        except RuntimeError:  # the loop is closed: the process is on its way out
            log.warning("event after the end", event_type=type(event).__name__)

    def _drain(self) -> None:
        # Lowered first: what is posted from here on is either taken below or wakes again.
        self._woken = False
        try:
            while self._posted:
                self._on_event(self._posted.popleft())
        finally:
            if self._posted:  # one event's fault is not the others'
                self._loop.call_soon(self._drain)

    def onCreate(self, session: Any) -> None:  # noqa: N802 - the engine's name
        """A session was made."""

    def onLogon(self, session: Any) -> None:  # noqa: N802
        """A session is logged on."""
        # The engine's thread stays known to Python from here on. Else each call from it would
        # make a thread state, with a mapping of memory of its own, and give it back.
        ctypes.pythonapi.PyGILState_Ensure()
        self._post(Logon(self._firm(session)))

    def onLogout(self, session: Any) -> None:  # noqa: N802
        """A session is logged out, or was never logged on."""
        firm = self._firm(session)
        self._post(Logout(firm, self._last_words.pop(firm, "")))

    def toAdmin(self, message: Any, session: Any) -> None:  # noqa: N802
        """An administrative message leaves."""

    def toApp(self, message: Any, session: Any) -> None:  # noqa: N802
        """A message leaves."""

    def fromAdmin(self, message: Any, session: Any) -> None:  # noqa: N802
        """Report session-level rejects; keep what a Logout says."""
        kind = message.getHeader().getField(35)
        if kind == "3":
            self._deliver(message, session)
        elif kind == "5" and message.isSetField(58):
            self._last_words[self._firm(session)] = message.getField(58)

    def fromApp(self, message: Any, session: Any) -> None:  # noqa: N802
        """Enqueue a message."""
        self._deliver(message, session)

    def _deliver(self, message: Any, session: Any) -> None:
        try:
            pairs = parse(message.toString())
            head = dict(reversed(pairs))
            self._post(
                Received(
                    session=self._firm(session),
                    msg_type=head[35],
                    seq=int(head[34]),
                    poss_dup=head.get(43) == "Y",
                    pairs=pairs,
                )
            )
        except Exception:
            log.exception("a message was not understood")


class Initiator(Callbacks):
    """Of the side that dials: the firm's own."""

    def _firm(self, session: Any) -> str:
        return _text(session.getSenderCompID())

    def toAdmin(self, message: Any, session: Any) -> None:  # noqa: N802
        """Add the password to our Logon."""
        if message.getHeader().getField(35) == "A":
            message.setField(554, self._password)

    def toApp(self, message: Any, session: Any) -> None:  # noqa: N802
        """Keep stale orders from being re-sent by the session layer."""
        header = message.getHeader()
        if header.isSetField(43) and header.getField(35) in NEVER_RESENT:
            raise quickfix.DoNotSend


class Acceptor(Callbacks):
    """Of the side that is dialled: the venue."""

    def _firm(self, session: Any) -> str:
        return _text(session.getTargetCompID())

    def fromAdmin(self, message: Any, session: Any) -> None:  # noqa: N802
        """Check the password of a Logon."""
        if message.getHeader().getField(35) == "A":
            given = message.getField(554) if message.isSetField(554) else ""
            if not hmac.compare_digest(given.encode(), self._password.encode()):
                log.warning("logon refused", session=self._firm(session), reason="wrong password")
                raise quickfix.RejectLogon("wrong password")
        super().fromAdmin(message, session)


def _text(name: Any) -> str:
    return str(name.getValue() if hasattr(name, "getValue") else name)
