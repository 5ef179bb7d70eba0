"""HTTP/2 as a caller of gRPC needs it (RFC 9113): bytes in, frames out; no socket, no clock.

The journal is written over it once for every batch of orders, and most of the time that a
general client takes is spent on what this traffic never uses. So only the caller's half is
here: requests that are whole when they are sent, no server push, no compression of headers
by either side. `tests/unit/core/test_http2.py` holds it against an independent server.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS = 0x0, 0x1, 0x3, 0x4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x5, 0x6, 0x7, 0x8, 0x9
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20

TABLE_SIZE, PUSH, INITIAL_WINDOW, FRAME_SIZE = 0x1, 0x2, 0x4, 0x5
NO_ERROR, CANCEL = 0x0, 0x8

LARGEST_WINDOW = MASK = 2**31 - 1
"""Numbers of 31 bits: the one above them is reserved."""
DEFAULT_WINDOW = 65_535
DEFAULT_FRAME = 16_384
TOP_UP = 2**30
"""The server is given new room after so many bytes: what is read is kept by the reader."""
LAST_STREAM = 2**31 - 3
HEAD = 9


class Faulty(Exception):
    """The server broke the protocol: the connection is of no more use."""


class Headers(msgspec.Struct, frozen=True):
    """A block of headers, or the trailers, as they were encoded."""

    stream: int
    block: bytes
    end: bool


class Data(msgspec.Struct, frozen=True):
    """Bytes of an answer."""

    stream: int
    payload: bytes
    end: bool


class Reset(msgspec.Struct, frozen=True):
    """The server gave a stream up."""

    stream: int
    code: int


class GoAway(msgspec.Struct, frozen=True):
    """The server takes no streams after `last` on this connection."""

    last: int
    code: int
    said: bytes


class Pong(msgspec.Struct, frozen=True):
    """The server answered a ping."""


Event = Headers | Data | Reset | GoAway | Pong


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def head_of(path: str, authority: str, fields: dict[str, str]) -> bytes:
    """Return the header block of a POST over https: literals, without any table."""
    block = bytearray(b"\x83\x87\x04" + _text(path) + b"\x01" + _text(authority))
    for name, value in fields.items():
        block += b"\x00" + _text(name) + _text(value)
    return bytes(block)


def _text(text: str) -> bytes:
    raw = text.encode("ascii")
    if len(raw) > 126:
        raise ValueError(f"too long for a header of ours: {text[:40]}...")
    return bytes((len(raw),)) + raw


class Connection:
    """One connection as its caller sees it.

    `request` and `cancel` say what is to be sent, `receive` takes what came; `pending`
    returns the bytes to write after either.
    """

    def __init__(self) -> None:
        """Begin; the preface is the first of the pending bytes."""
        settings = b"".join(
            number.to_bytes(2, "big") + value.to_bytes(4, "big")
            for number, value in (
                (TABLE_SIZE, 0),
                (PUSH, 0),
                (INITIAL_WINDOW, LARGEST_WINDOW),
            )
        )
        room = (LARGEST_WINDOW - DEFAULT_WINDOW).to_bytes(4, "big")
        self._out: list[bytes] = [
            PREFACE,
            frame(SETTINGS, 0, 0, settings),
            frame(WINDOW_UPDATE, 0, 0, room),
        ]
        self._in = b""
        self._next = 1
        self._window = DEFAULT_WINDOW
        self._initial = DEFAULT_WINDOW
        self._frame_size = DEFAULT_FRAME
        self._windows: dict[int, int] = {}
        """What each open stream may still send."""
        self._waiting: dict[int, tuple[memoryview, int]] = {}
        """What of a body had no room yet, and the flags of its last frame."""
        self._read = 0
        self._read_of: dict[int, int] = {}
        self._headers: tuple[int, int, bytes] | None = None
        """A block that is continued: its stream, its flags, its bytes so far."""

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._windows)

    @property
    def used_up(self) -> bool:
        """Whether no more streams can be opened here."""
        return self._next > LAST_STREAM

    def pending(self) -> bytes:
        """Return the bytes to write now."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def request(self, head: bytes, body: bytes, *, half_open: bool = False) -> int:
        """Open a stream with a request; return its number.

        It is whole, unless the caller's half is to stay open without another word.
        """
        last = 0 if half_open else END_STREAM
        stream = self._next
        self._next += 2
        self._out.append(frame(HEADERS, END_HEADERS, stream, head))
        size = len(body)
        if size == 0 or (
            not self._waiting and size <= min(self._window, self._initial, self._frame_size)
        ):
            self._window -= size
            self._windows[stream] = self._initial - size
            self._out.append(frame(DATA, last, stream, body))
        else:
            self._windows[stream] = self._initial
            self._waiting[stream] = (memoryview(body), last)
            self._send()
        return stream

    def cancel(self, stream: int) -> None:
        """Give a stream up; what still comes of it is ignored."""
        if stream in self._windows:
            self._out.append(frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")))
            self._forget(stream)

    def ping(self) -> None:
        """Ask whether the server is there."""
        self._out.append(frame(PING, 0, 0, bytes(8)))

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes; yield what they say. Raises `Faulty`."""
        buffer = self._in + data if self._in else data
        at, end = 0, len(buffer)
        while end - at >= HEAD:
            size = int.from_bytes(buffer[at : at + 3], "big")
            if size > DEFAULT_FRAME:
                raise Faulty(f"a frame of {size} bytes, and {DEFAULT_FRAME} were allowed")
            if end - at - HEAD < size:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream = int.from_bytes(buffer[at + 5 : at + HEAD], "big") & MASK
            payload = buffer[at + HEAD : at + HEAD + size]
            at += HEAD + size
            event = self._frame(kind, flags, stream, payload)
            if event is not None:
                yield event
        self._in = buffer[at:]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> Event | None:
        if self._headers is not None and kind != CONTINUATION:
            raise Faulty("headers were not continued")
        if kind == DATA:
            return self._data(flags, stream, payload)
        if kind == HEADERS:
            return self._block(stream, flags, _unpadded(flags, payload, HEADERS))
        if kind == CONTINUATION:
            return self._continued(stream, flags, payload)
        if kind == RST_STREAM:
            code = int.from_bytes(payload, "big")
            return Reset(stream, code) if self._forget(stream) else None
        if kind == PUSH_PROMISE:
            raise Faulty("a push, which was ruled out")
        return self._of_connection(kind, flags, stream, payload)

    def _of_connection(self, kind: int, flags: int, stream: int, payload: bytes) -> Event | None:
        if kind == PING and flags & ACK:
            return Pong()
        if kind == PING:
            self._out.append(frame(PING, ACK, 0, payload))
        elif kind == SETTINGS:
            self._settings(flags, payload)
        elif kind == WINDOW_UPDATE:
            self._more_room(stream, int.from_bytes(payload, "big") & MASK)
        elif kind == GOAWAY:
            last, code = (int.from_bytes(payload[i : i + 4], "big") for i in (0, 4))
            return GoAway(last & MASK, code, payload[8:])
        return None  # a kind that is not known says nothing

    def _data(self, flags: int, stream: int, payload: bytes) -> Event | None:
        end = bool(flags & END_STREAM)
        self._took(stream, len(payload), end)
        if stream not in self._windows:
            return None
        found = Data(stream, _unpadded(flags, payload, DATA), end)
        if end:
            self._forget(stream)
        return found

    def _took(self, stream: int, size: int, end: bool) -> None:
        """Give the server as much room again as it has used, once in a while."""
        self._read += size
        if self._read >= TOP_UP:
            self._out.append(frame(WINDOW_UPDATE, 0, 0, self._read.to_bytes(4, "big")))
            self._read = 0
        if not end and stream in self._windows:
            read = self._read_of.get(stream, 0) + size
            if read >= TOP_UP:
                self._out.append(frame(WINDOW_UPDATE, 0, stream, read.to_bytes(4, "big")))
                read = 0
            self._read_of[stream] = read

    def _continued(self, stream: int, flags: int, payload: bytes) -> Event | None:
        if self._headers is None or self._headers[0] != stream:
            raise Faulty("a continuation of nothing")
        _, first, block = self._headers
        self._headers = None
        return self._block(stream, (first & ~END_HEADERS) | (flags & END_HEADERS), block + payload)

    def _block(self, stream: int, flags: int, block: bytes) -> Event | None:
        if not flags & END_HEADERS:
            self._headers = (stream, flags & ~(PADDED | PRIORITY), block)
            return None
        end = bool(flags & END_STREAM)
        if stream not in self._windows:
            return None
        if end:
            self._forget(stream)
        return Headers(stream, block, end)

    def _settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for at in range(0, len(payload) - 5, 6):
            number = int.from_bytes(payload[at : at + 2], "big")
            value = int.from_bytes(payload[at + 2 : at + 6], "big")
            if number == INITIAL_WINDOW:
                for stream in self._windows:
                    self._windows[stream] += value - self._initial
                self._initial = value
            elif number == FRAME_SIZE:
                self._frame_size = value
        self._out.append(frame(SETTINGS, ACK, 0))
        self._send()

    def _more_room(self, stream: int, room: int) -> None:
        if stream == 0:
            self._window += room
        elif stream in self._windows:
            self._windows[stream] += room
        self._send()

    def _send(self) -> None:
        """Send of the waiting bodies what there is room for."""
        for stream, (body, last) in tuple(self._waiting.items()):
            while body and (room := min(self._window, self._windows[stream], self._frame_size)) > 0:
                part, body = body[:room], body[room:]
                self._window -= len(part)
                self._windows[stream] -= len(part)
                self._out.append(frame(DATA, 0 if body else last, stream, bytes(part)))
            if body:
                self._waiting[stream] = (body, last)
            else:
                del self._waiting[stream]

    def _forget(self, stream: int) -> bool:
        self._waiting.pop(stream, None)
        self._read_of.pop(stream, None)
        return self._windows.pop(stream, None) is not None


def _unpadded(flags: int, payload: bytes, kind: int) -> bytes:
    begin, end = 0, len(payload)
    if flags & PADDED:
        begin, end = 1, end - payload[0]
    if kind == HEADERS and flags & PRIORITY:
        begin += 5
    return payload[begin:end] if flags & (PADDED | PRIORITY) else payload
