"""Sessions of two QuickFIX engines with one another."""

from __future__ import annotations

import asyncio
import threading

import pytest

from apps.core.fix import Engine, Event, Logon, Pair, Received, parse
from tests.support.process import free_port
from tests.support.servers import folder

REPORTS = 3


def test_the_engines_thread_keeps_its_python_state_from_one_message_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = threading.local()
    calls: list[int] = []

    def counted(raw: str) -> tuple[Pair, ...]:
        own.calls = getattr(own, "calls", 0) + 1
        calls.append(own.calls)
        return parse(raw)

    monkeypatch.setattr("apps.core.fix_callbacks.parse", counted)

    async def go() -> None:
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

    asyncio.run(go())
    assert calls == [1, 2, 3]
