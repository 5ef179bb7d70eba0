"""A market-data venue that says what a test wants, where the real one never would.

It speaks through the same `apps.core.fix.Engine`, in a process of its own that is killed at
the end; that the real venue speaks the same protocol is tested beside it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from apps.core.fix import Engine, Event, Pair, Received, Tag

SESSION = "OPS-A-MD"

Entry = tuple[str, str, str]
"""Kind (5 close, 0 bid, 1 offer), symbol, price."""


class FakeVenue:
    """The process, seen from the test; remembers every MarketDataRequest."""

    def __init__(self, port: int, store: Path, password: Path) -> None:
        """Prepare; use as a context manager to run it."""
        self.requests: list[Received] = []
        self._argv = [sys.executable, "-m", __name__, str(port), str(store), str(password)]

    def __enter__(self) -> Self:
        """Accept sessions."""
        self._process = subprocess.Popen(
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "open\n"
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._listener.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            pairs = tuple((int(tag), str(value)) for tag, value in json.loads(line))
            self.requests.append(Received(SESSION, "V", 0, False, pairs))

    @property
    def subscriptions(self) -> list[int]:
        """The first sequence that each subscription asked for."""
        return [int(r.get(Tag.FROM_SEQ)) for r in self.requests if r.get(263) == "1"]

    @property
    def released(self) -> list[int]:
        """The days that were released."""
        return [int(r.get(Tag.RELEASE_SEQ)) for r in self.requests if r.get(Tag.RELEASE_SEQ)]

    def day(self, seq: int, on: str, entries: Iterable[Entry], *, request: str = "") -> None:
        """Send one day, as an answer to the newest subscription unless another is named."""
        newest = [r.get(262) for r in self.requests if r.get(263) == "1"][-1]
        listed = list(entries)
        pairs: list[Pair] = [(262, request or newest), (268, str(len(listed)))]
        for kind, symbol, price in listed:
            pairs += [(279, "0"), (269, kind), (55, symbol), (270, price), (272, on)]
        self.send("X", [*pairs, (Tag.SEQ, str(seq))])

    def send(self, msg_type: str, pairs: list[Pair]) -> None:
        """Send any message."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([msg_type, pairs]) + "\n")
        self._process.stdin.flush()


async def serve(port: int, store: Path, password: Path) -> None:
    """Send what comes on stdin, print every MarketDataRequest; until killed."""

    def on_event(event: Event) -> None:
        if isinstance(event, Received) and event.msg_type == "V":
            print(json.dumps(event.pairs), flush=True)

    engine = Engine(
        role="acceptor",
        own=["VENUE"],
        peers=[SESSION],
        host="127.0.0.1",
        port=port,
        store=store,
        password=password.read_text(),
        on_event=on_event,
    )
    engine.start()
    print("open", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        msg_type, pairs = json.loads(line)
        engine.send(SESSION, msg_type, [(tag, value) for tag, value in pairs])


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
