"""The firm's CompIDs, and events that come out of an engine's threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from apps.core.fix import Event, Logon, Purpose, comp_id, sessions
from apps.core.fix_callbacks import Acceptor


def test_every_site_has_sessions_of_its_own() -> None:
    assert comp_id("a", Purpose.ORDERS) == "OPS-A-ORD"
    assert sessions(["a", "b"]) == [f"OPS-{s}-{p}" for s in "AB" for p in ("ORD", "DROP", "MD")]


def test_one_order_session_serves_all_sites() -> None:
    found = sessions(["a", "b"], single=True)
    assert found == ["OPS-ORD", "OPS-A-DROP", "OPS-A-MD", "OPS-B-DROP", "OPS-B-MD"]
    assert comp_id("b", Purpose.DROP_COPY, single=True) == "OPS-B-DROP"


def test_events_of_many_threads_arrive_whole_and_in_each_ones_order() -> None:
    seen: list[str] = []

    async def scenario() -> None:
        done = asyncio.Event()

        def take(event: Event) -> None:
            seen.append(event.session)
            if len(seen) == 4_000:
                done.set()

        callbacks = Acceptor(asyncio.get_running_loop(), take, "")
        threads = [threading.Thread(target=post, args=(callbacks, name)) for name in "abcd"]
        for thread in threads:
            thread.start()
        async with asyncio.timeout(30):
            await done.wait()
        for thread in threads:
            thread.join()

    def post(callbacks: Acceptor, name: str) -> None:
        for number in range(1_000):
            callbacks._post(Logon(f"{name}{number:04}"))

    asyncio.run(scenario())
    for name in "abcd":
        assert [s for s in seen if s[0] == name] == [f"{name}{n:04}" for n in range(1_000)]


def test_one_events_fault_does_not_lose_the_next() -> None:
    seen: list[str] = []

    async def scenario() -> list[str]:
        faults: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(str(context["exception"])))
        done = asyncio.Event()

        def take(event: Event) -> None:
            if event.session == "bad":
                raise ValueError("not understood")
            seen.append(event.session)
            done.set()

        callbacks = Acceptor(loop, take, "")
        for name in ("bad", "good"):
            callbacks._post(Logon(name))
        async with asyncio.timeout(30):
            await done.wait()
        return faults

    assert asyncio.run(scenario()) == ["not understood"]
    assert seen == ["good"]


def test_a_closed_loop_is_no_fault_of_the_engines_thread() -> None:
    loop = asyncio.new_event_loop()
    callbacks = Acceptor(loop, lambda _: pytest.fail("nobody listens"), "")
    loop.close()
    callbacks._post(Logon("late"))
