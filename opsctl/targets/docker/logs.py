"""The logs of containers: merged in time, followed."""

from __future__ import annotations

import contextlib
import heapq
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from opsctl.images.engine import EngineRefused, errors
from opsctl.targets.base import LogLine
from opsctl.targets.docker.containers import Containers

AGAIN_S = 0.5
"""A stream ends with its container, or its engine; neither tells when it is there again."""
Named = Sequence[tuple[str, Containers, str]]
"""Keys of services, the containers of their host, and the names of theirs."""


def history(named: Named, since: datetime | None) -> Iterator[LogLine]:
    """Return the lines of services, oldest first."""
    every = [_lines(where, key, name, since, follow=False) for key, where, name in named]
    yield from heapq.merge(*every, key=lambda line: line.at or datetime.min.replace(tzinfo=UTC))


def follow(named: Named, since: datetime | None) -> Iterator[LogLine]:
    """Return the lines from `since` on (none of the past without it), then each as it comes."""
    came: queue.SimpleQueue[LogLine] = queue.SimpleQueue()
    since = since or datetime.now(UTC)

    def read(key: str, where: Containers, name: str) -> None:
        last = since
        while True:
            told = last
            with contextlib.suppress(EngineRefused):  # it, or the container, is gone for a while
                for line in _lines(where, key, name, told, follow=True):
                    if line.at is None or line.at > told:  # the engine counts in whole seconds
                        last = line.at or last
                        came.put(line)
            time.sleep(AGAIN_S)

    for each in named:
        threading.Thread(target=read, args=each, daemon=True).start()
    while True:
        yield came.get()


def tail(containers: Containers, name: str, count: int) -> tuple[str, ...]:
    """Return the last lines of one container."""
    with errors(containers.engine.address):
        raw: bytes = containers.api.logs(name, tail=count)
    return tuple(raw.decode(errors="replace").splitlines())


def _lines(
    containers: Containers, key: str, name: str, since: datetime | None, *, follow: bool
) -> Iterator[LogLine]:
    with errors(containers.engine.address):
        stream = containers.api.logs(name, stream=True, follow=follow, timestamps=True, since=since)
        begun = b""
        for part in stream:
            *whole, begun = (begun + part).split(b"\n")
            for line in whole:
                yield _line(key, line.decode(errors="replace"))


def _line(key: str, text: str) -> LogLine:
    stamp, _, said = text.partition(" ")
    # Nanoseconds, as the engine writes them, are more than a datetime has.
    at = datetime.fromisoformat(f"{stamp[:26].rstrip('Z')}+00:00")
    return LogLine(service=key, at=at, text=said)
