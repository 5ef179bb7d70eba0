"""The part of the venue's record that a drill is judged by, read as it grows.

The record of an old environment is long, and a drill must not take longer for it. What
rests at the venue as a drill begins was accepted on the trading day that is open then: day
orders expire with it, and no others rest. So reading begins where that day did; what
somebody tells of from an earlier one is looked up by its id.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection
from pathlib import Path

from opsctl.drills.record import Key, Record

_DAY = b'"kind":"day",'
BLOCK = 1 << 20


class VenueWindow:
    """The record from so many bytes on, and what lies before them as far as it matters."""

    def __init__(self, path: Path, after: int) -> None:
        """Read what was open after so many bytes; raises `OSError`."""
        self._path = path
        self._begins = day_begins(path, after)
        self._at = self._begins
        self._sought: set[bytes] = set()
        self.found = Record()
        self._take(after)
        self.found.begin()

    def read(self) -> Record:
        """Take what was written since the last time; return everything so far."""
        self._take(None)
        return self.found

    def look_up(self, executions: Collection[Key], orders: Collection[str]) -> None:
        """Look for executions and acceptances of earlier days; each is looked for once."""
        found = self.found
        wanted = {exec_id.encode() for _, exec_id, _ in executions}
        wanted |= {order.encode() for order in orders}
        wanted -= self._sought
        self._sought |= wanted
        if not wanted or not self._begins:
            return
        ids = b"|".join(map(re.escape, sorted(wanted)))
        naming = re.compile(b'"(?:exec_id|cl_ord_id)":"(?:' + ids + b')"')
        earlier = Record()
        with (
            self._path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
        ):
            end = 0
            for hit in naming.finditer(whole, 0, self._begins):
                if hit.start() < end:
                    continue
                end = whole.find(b"\n", hit.start()) + 1 or len(whole)
                earlier.take(whole[whole.rfind(b"\n", 0, hit.start()) + 1 : end])
        found.earlier |= earlier.executions
        found.accepted_earlier |= {one.order for one in earlier.accepted}

    def _take(self, until: int | None) -> None:
        """Take the whole lines that begin before so many bytes."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            while until is None or self._at < until:
                line = file.readline()
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                self.found.take(line)


def day_begins(path: Path, before: int) -> int:
    """Return where in a record the trading day begins that is open after so many bytes.

    The line of the day itself; 0 where there is none. Raises `OSError`.
    """
    with path.open("rb") as file:
        end, rest = before, b""
        while end > 0:
            begin = max(0, end - BLOCK)
            file.seek(begin)
            block = file.read(end - begin) + rest
            at = block.rfind(_DAY)
            # The line's own beginning may lie in the block before.
            line = block.rfind(b"\n", 0, max(at, 0))
            if at >= 0 and (line >= 0 or not begin):
                return begin + line + 1
            rest = block if at >= 0 else block[: len(_DAY)]
            end = begin
    return 0
