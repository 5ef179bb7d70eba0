"""Whose turn it is at a server, where several resources of one update change the same one."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator

_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_making = threading.Lock()


@contextlib.contextmanager
def of(servers: Iterable[str]) -> Iterator[None]:
    """Hold servers for the duration of a `with`; wait until all of them are free."""
    with contextlib.ExitStack() as stack:
        for name in sorted(set(servers)):
            with _making:
                lock = _locks[name]
            stack.enter_context(lock)
        yield
