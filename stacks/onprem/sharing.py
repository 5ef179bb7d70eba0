"""One reading for all servers of a stack, although the engine asks for them one by one.

An Ansible of its own for each of fifty servers would take minutes; one for all takes as long as
for a few. So whoever asks first reads every server that is on the roster, and the others, for
whom the engine will ask as well, find theirs. Each finding serves once: who asks again has it read
anew. The roster is written by the program and only ever tells whom to read besides; where there is
none, as on a machine that never ran the program, servers are read as they are asked for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from opsctl.state import environment_folder
from stacks.onprem.boxes import Properties

Found = TypeVar("Found")
"""What is read of one: of a server, of a link, of an address."""
Read = Callable[[Mapping[str, Properties]], Mapping[str, Found]]

WORKERS = 4
"""As many as the calls that the engine's provider serves at once."""
READ_BY = ("address", "port", "user", "key", "host_key", "profile")
"""The properties that a reading depends on: of others the roster may know less than the state."""
SERVERS, LINKS, ADDRESSES = "servers", "roster-links", "roster-addresses"
"""What there are rosters of."""


class Shared(Generic[Found]):
    """Readings of one process: of the engine's provider, which lives for one command."""

    def __init__(self, read: Read[Found], by: Sequence[str] = READ_BY) -> None:
        """Read by `read`, which depends on the properties `by`."""
        self._read, self._by = read, by
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS)
        self._under_way: dict[str, tuple[Properties, Future[Mapping[str, Found]]]] = {}

    def of(self, server: Properties, others: Callable[[], Mapping[str, Properties]]) -> Found:
        """Return what a server is; `others` are those that will be asked for besides.

        Raises what `read` does.
        """
        name = str(server["name"])
        with self._lock:
            known, reading = self._under_way.pop(name, (None, None))
            if reading is None or known is None or not self._same(known, server):
                besides = {
                    other: one
                    for other, one in others().items()
                    if other != name and other not in self._under_way
                }
                reading = self._pool.submit(self._read, {name: server, **besides})
                self._under_way.update((other, (one, reading)) for other, one in besides.items())
        return reading.result()[name]

    def _same(self, one: Properties, other: Properties) -> bool:
        return all(one.get(key) == other.get(key) for key in self._by)


def roster(environment: str, of: str = SERVERS) -> dict[str, Properties]:
    """Return the servers that the last program of an environment declared; empty without."""
    try:
        kept = json.loads(place(environment, of).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def place(environment: str, of: str = SERVERS) -> Path:
    """Return the file of an environment's roster: its servers by name, or its links, ..."""
    return environment_folder(environment) / f"{of}.json"
