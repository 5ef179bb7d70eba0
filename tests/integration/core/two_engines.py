"""Two QuickFIX engines in one process, one of which sends the other some reports.

Prints how many messages the thread that read each had read by then, itself included. A program of
its own: a process that holds an acceptor leaves without waiting for its thread.
"""

from __future__ import annotations

import asyncio
import threading
from unittest import mock

from apps.core import fix_callbacks
from apps.core.app import leave
from apps.core.fix import Engine, Event, Logon, Pair, Received, parse
from tests.support.process import free_port
from tests.support.servers import folder

REPORTS = 3
_own = threading.local()


def counted(raw: str) -> tuple[Pair, ...]:
    """Read a message, and say how many this thread has read."""
    _own.calls = getattr(_own, "calls", 0) + 1
    print(_own.calls, flush=True)
    return parse(raw)


async def go() -> None:
    """Log on, and tell the reports."""
    with folder() as home:
        port = free_port()
        venue, firm = asyncio.Queue[Event](), asyncio.Queue[Event]()
        acceptor = Engine(
            role="acceptor",
            own=["VENUE"],
            peers=["OPS-A-ORD"],
            host="127.0.0.1",
            port=port,
            store=home / "venue",
            password="secret",
            on_event=venue.put_nowait,
        )
        initiator = Engine(
            role="initiator",
            own=["OPS-A-ORD"],
            peers=["VENUE"],
            host="127.0.0.1",
            port=port,
            store=home / "firm",
            password="secret",
            on_event=firm.put_nowait,
        )
        acceptor.start()
        initiator.start()
        async with asyncio.timeout(30):
            for heard in (venue, firm):
                while not isinstance(await heard.get(), Logon):
                    pass
            for number in range(REPORTS):
                acceptor.tell(["OPS-A-ORD"], "j", [(58, str(number)), (372, "D"), (380, "0")])
                while not isinstance(await firm.get(), Received):
                    pass
        initiator.stop()
        acceptor.stop()


if __name__ == "__main__":
    with mock.patch.object(fix_callbacks, "parse", counted):
        asyncio.run(go())
    leave(0)
