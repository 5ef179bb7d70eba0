"""Finds the last report that the FIX engine had taken over when the venue died.

The engine stores a message under its sequence number before it writes it to the socket,
and what it stored reaches the firm by ResendRequest. A report that is in the record but
not in the store was never sent; the venue sends it at its next start. Reports carry the
number of their line (`Tag.RECORD`), so that the last stored one tells where to go on.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_RECORD = re.compile(rb"\x015004=(\d+)\x01")
_BLOCK = 65_536


def last_sent(store: Path, venue: str, session: str) -> int:
    """Return the record line of the last report in a session's store, 0 where there is none.

    Reads the file store of QuickFIX from its end: `.header` lists `number,offset,size` of
    each message, `.body` holds them, `.seqnums` the next number; a message stored under
    that number or a later one was not counted as sent before the crash.
    """
    base = f"FIX.4.4-{venue}-{session}"
    header, body = store / f"{base}.header", store / f"{base}.body"
    try:
        next_number = int((store / f"{base}.seqnums").read_text().partition(":")[0])
        with header.open("rb") as index, body.open("rb") as messages:
            for number, offset, size in _backwards(index):
                if number >= next_number:
                    continue
                messages.seek(offset)
                found = _RECORD.search(messages.read(size))
                if found:
                    return int(found[1])
    except (FileNotFoundError, ValueError):
        return 0
    return 0


def _backwards(index: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Yield the whole entries of a header file, the newest first."""
    start = index.seek(0, io.SEEK_END)
    rest = b""
    while start:
        length = min(_BLOCK, start)
        start -= length
        index.seek(start)
        words = (index.read(length) + rest).split(b" ")
        # The first word may go on in the block before; the last one ends with a space or is torn.
        rest, entries = (words[0], words[1:]) if start else (b"", words)
        for entry in reversed(entries):
            parts = entry.split(b",")
            if len(parts) == 3 and all(part.isdigit() for part in parts):
                yield int(parts[0]), int(parts[1]), int(parts[2])
