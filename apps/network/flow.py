"""One direction of a connection: bytes, their end, and what faults make of them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Literal

from apps.network.faults import Faults

HELD_BYTES = 1024 * 1024
"""What a delayed direction holds at most; beyond it the sender is not read."""

PIECES_PER_S = 20
"""In how many pieces a second bytes trickle."""

_AT_ONCE = struct.pack("ii", 1, 0)

Way = Literal["to", "from"]


class Sign(Enum):
    """What travels in order with the bytes and is none."""

    END = "the sender has no more to say"
    BREAK = "the connection broke"
    CLOSE = "the sender has left in order, and hears nothing any more"


class Counts:
    """What went one way over a link since the start."""

    __slots__ = ("carried_bytes", "dropped_bytes")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.carried_bytes = self.dropped_bytes = 0


def reset(transport: asyncio.Transport) -> None:
    """Break a connection as a network does: no orderly end for either side to read."""
    if not transport.is_closing():
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


class Flow:
    """Carries what one side of a connection sends to the other side."""

    __slots__ = (
        "_busy_until",
        "_bytes_per_s",
        "_counts",
        "_delay_s",
        "_drop",
        "_full",
        "_held",
        "_held_bytes",
        "_loop",
        "_over",
        "_sink",
        "_source",
        "_timer",
        "_way",
        "ended",
        "holed",
    )

    def __init__(
        self, way: Way, counts: Counts, source: asyncio.Transport, over: Callable[[], None]
    ) -> None:
        """Carry from a transport; `connect` says where to. `over` is told of the end."""
        self._way = way
        self._counts = counts
        self._source = source
        self._over = over
        self._sink: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._drop = False
        self._delay_s = 0.0
        self._bytes_per_s = 0
        self._busy_until = 0.0
        """When the last that is held has trickled through."""
        self._held: deque[tuple[float, bytes | Sign]] = deque()
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._full = False
        self.ended = False
        """Whether the end was handed over."""
        self.holed = False
        """Whether something was swallowed: what follows makes no sense to who reads it."""

    def connect(self, sink: asyncio.Transport) -> None:
        """Name the other side; it gets at once what came before it was there."""
        self._sink = sink
        self._release()

    def obey(self, faults: Faults) -> None:
        """Take the faults of the link; what is held goes no later than they say."""
        self._drop = faults.drop == self._way
        self._delay_s = faults.delay_ms / 1_000
        self._bytes_per_s = faults.bytes_per_s
        self._busy_until = 0.0
        if self._held:
            latest = self._loop.time() + self._delay_s
            held, self._held, self._held_bytes = self._held, deque(), 0
            for due, what in held:
                self._hold(min(due, latest), what)
            self._release()

    def carry(self, what: bytes | Sign) -> None:
        """Hand bytes (or a sign) over: now, later, or never."""
        size = len(what) if isinstance(what, bytes) else 0
        if self._drop:
            self._counts.dropped_bytes += size
            self.holed = True
            return
        self._counts.carried_bytes += size
        slow = self._delay_s or self._bytes_per_s
        if not self._held and not slow and self._sink is not None:
            self._hand(what)
            return
        self._hold(self._loop.time() + self._delay_s, what)
        if self._timer is None and self._sink is not None:
            self._timer = self._loop.call_at(self._held[0][0], self._release)
        self._throttle()

    def hold(self, full: bool) -> None:
        """Read no more from the sender while the other side takes no more."""
        self._full = full
        self._throttle()

    def stop(self) -> None:
        """Forget what is held."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._held.clear()

    def _hold(self, due: float, what: bytes | Sign) -> None:
        """Keep what is handed over later: not before it is due, nor before what came before."""
        rate = self._bytes_per_s
        for piece in _pieces(what, max(1, rate // PIECES_PER_S)) if rate else (what,):
            size = len(piece) if isinstance(piece, bytes) else 0
            if rate:
                due = self._busy_until = max(due, self._busy_until) + size / rate
            self._held.append((due, piece))
            self._held_bytes += size

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sink is None:
            return
        now = self._loop.time()
        while self._held and self._held[0][0] <= now:
            _, what = self._held.popleft()
            self._held_bytes -= len(what) if isinstance(what, bytes) else 0
            self._hand(what)
        if self._held:
            self._timer = self._loop.call_at(self._held[0][0], self._release)
        self._throttle()

    def _hand(self, what: bytes | Sign) -> None:
        sink = self._sink
        if sink is None or sink.is_closing():
            return
        if isinstance(what, bytes):
            sink.write(what)
        elif what is Sign.BREAK:
            reset(sink)
        elif what is Sign.CLOSE:
            sink.close()
        else:
            self.ended = True
            sink.write_eof()
            self._over()

    def _throttle(self) -> None:
        if self._full or self._held_bytes > HELD_BYTES:
            self._source.pause_reading()
        else:
            self._source.resume_reading()


def _pieces(what: bytes | Sign, size: int) -> Iterator[bytes | Sign]:
    if isinstance(what, Sign):
        yield what
        return
    yield from (what[at : at + size] for at in range(0, len(what), size))
