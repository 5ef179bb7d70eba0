"""One order session in a process of its own: it can be frozen, and it wakes as a zombie.

It logs on, sends orders as long as it lives, says on stdout what happens, a JSON line
each, and ends at the first Logout, before it would log on again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apps
from apps.core.fix import Engine, Event, Logon, Logout, Received
from tests.integration.venue.market import NOW, PASSWORD, Market
from tests.support.process import freeze
from tests.support.servers import wait_for

PACE_S = 0.002
"""Between two orders."""


class Client:
    """The process as a test sees it."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        """Read what the process says, in a thread."""
        self._popen = popen
        self.said: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as words:
            for line in words:
                self.said.append(json.loads(line))

    def heard(self, what: str) -> list[dict[str, Any]]:
        """Return what it said of one kind."""
        return [said for said in self.said if said["is"] == what]

    def wait_until_trading(self) -> None:
        """Return once some of its orders were accepted."""
        wait_for(lambda: len(self.heard("report")) > 5, "the client's first orders")

    def freeze(self) -> None:
        """Stop it where it stands; its sockets stay open."""
        freeze(self._popen.pid)

    def wake(self) -> None:
        """Let it go on and wait until it has ended."""
        self._popen.send_signal(signal.SIGCONT)
        self.wait_until_ended()

    def wait_until_ended(self) -> None:
        """Return when it has ended by a Logout, and everything it said was read."""
        assert self._popen.wait(30) == 0
        self.end()

    def end(self) -> None:
        """Read the last of what it said."""
        self._reader.join()


@contextlib.contextmanager
def client(at: Market, session: str, *, prefix: str = "z", price: str = "95") -> Iterator[Client]:
    """Run a client that streams day orders to buy, which rest, until the end of the block."""
    told = {
        "port": at.settings.fix_port,
        "venue": at.settings.fix_venue,
        "session": session,
        "store": str(at.home / "client" / session),
        "prefix": prefix,
        "price": price,
    }
    with (at.home / "client.log").open("ab") as log:
        popen = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.venue.client", json.dumps(told)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(apps.__file__).parents[1])},
        )
    made = Client(popen)
    try:
        yield made
    finally:
        popen.kill()
        popen.wait()
        made.end()


async def _run(told: dict[str, Any]) -> None:
    session = told["session"]
    logged_on = asyncio.Event()

    def say(what: str, **more: str) -> None:
        print(json.dumps({"is": what, **more}), flush=True)

    def take(event: Event) -> None:
        match event:
            case Logon():
                say("logon")
                logged_on.set()
            case Logout():
                say("logout")
                os._exit(0)
            case Received(msg_type="8"):
                say("report", id=event.get(11), type=event.get(150))
            case Received():
                say("other", type=event.msg_type, text=event.get(58))

    engine = Engine(
        role="initiator",
        own=[session],
        peers=[told["venue"]],
        host="127.0.0.1",
        port=told["port"],
        store=Path(told["store"]),
        password=PASSWORD,
        on_event=take,
    )
    engine.start()
    await logged_on.wait()
    number = 0
    while True:
        terms = [(55, "AAA"), (54, "1"), (38, "10"), (40, "2"), (44, told["price"]), (59, "0")]
        engine.send(session, "D", [(11, f"{told['prefix']}-{number}"), *terms, NOW])
        number += 1
        await asyncio.sleep(PACE_S)


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
