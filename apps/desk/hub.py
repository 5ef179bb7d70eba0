"""The pages that are open: each gets a snapshot, then what changed, ten times a second at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from apps.desk import metrics
from apps.desk.board import Board

PERIOD_S = 0.1
WAITING = 64
"""Messages that a slow page may leave waiting before it is cut off and starts anew."""
VIEWERS = 32

Mail = asyncio.Queue[str | None]
"""Messages for one page; None ends it."""


class TooMany(Exception):
    """No more pages are served."""


class Hub:
    """Sends the board to the pages."""

    def __init__(self, board: Callable[[], Board]) -> None:
        """Serve what `board` returns; another board than the last is sent whole."""
        self._board = board
        self._shown = board()
        self._pages: set[Mail] = set()
        self._dirty = asyncio.Event()
        self._since: float | None = None
        self.watched = asyncio.Event()
        """Set while a page is open."""

    def changed(self) -> None:
        """Note that the board has something new."""
        if self._since is None:
            self._since = time.monotonic()
        self._dirty.set()

    @contextmanager
    def page(self) -> Iterator[Mail]:
        """Add a page: its mail begins with a snapshot. Raises `TooMany`."""
        if len(self._pages) >= VIEWERS:
            raise TooMany
        mail: Mail = asyncio.Queue(WAITING)
        mail.put_nowait(_text(self._board().snapshot()))
        self._pages.add(mail)
        self._count()
        try:
            yield mail
        finally:
            self._pages.discard(mail)
            self._count()

    async def run(self) -> None:
        """Send what changes, until cancelled; then end every page."""
        try:
            while True:
                await self._dirty.wait()
                self._dirty.clear()
                self._send()
                # Whatever changes within this time goes out as one message.
                await asyncio.sleep(PERIOD_S)
        finally:
            for mail in self._pages:
                _end(mail)

    def _send(self) -> None:
        board, since = self._board(), self._since
        self._since = None
        if not self._pages:
            self._shown = board
            return
        replaced, self._shown = board is not self._shown, board
        delta = board.take()
        if delta is None and not replaced:
            return
        text = _text(board.snapshot() if replaced else delta)
        for mail in self._pages:
            try:
                mail.put_nowait(text)
            except asyncio.QueueFull:
                _end(mail)
        metrics.SENT.inc(len(self._pages))
        if since is not None:
            metrics.SHOWN.observe(time.monotonic() - since)

    def _count(self) -> None:
        metrics.VIEWERS.set(len(self._pages))
        if self._pages:
            self.watched.set()
        else:
            self.watched.clear()


def _end(mail: Mail) -> None:
    while mail.full():
        mail.get_nowait()
    mail.put_nowait(None)


def _text(message: msgspec.Struct | None) -> str:
    return msgspec.json.encode(message).decode()
