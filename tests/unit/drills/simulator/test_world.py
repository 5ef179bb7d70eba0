"""Virtual time: what asyncio does on it, and that a seed is a whole history."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from opsctl.drills.simulator.world import Loop, World


def world_and_loop() -> tuple[World, Loop, list[str]]:
    world, failed = World(7), list[str]()
    return world, Loop(world, "a", failed.append), failed


def start(loop: Loop, work: Coroutine[Any, Any, None]) -> None:
    loop.start(work)


def test_tasks_locks_events_timeouts_and_groups_work_on_virtual_time() -> None:
    world, loop, failed = world_and_loop()
    told: list[tuple[float, str]] = []

    async def waits(lock: asyncio.Lock, event: asyncio.Event) -> None:
        async with lock:
            await event.wait()
            told.append((world.now, "woken"))

    async def whole() -> None:
        lock, event = asyncio.Lock(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(waits(lock, event))
            await asyncio.sleep(2)
            assert lock.locked()
            event.set()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.Event().wait()
        assert await asyncio.to_thread(lambda: 5) == 5
        told.append((world.now, "done"))

    loop.inside(lambda: start(loop, whole()))
    world.run(100)
    assert failed == []
    assert [what for _, what in told] == ["woken", "done"]
    assert told[0][0] == pytest.approx(3, abs=0.01)
    assert told[1][0] == pytest.approx(6, abs=0.01)


def test_a_frozen_process_does_nothing_and_finds_later_that_time_went_on() -> None:
    world, loop, _ = world_and_loop()
    seen: list[float] = []

    async def ticks() -> None:
        while True:
            await asyncio.sleep(0.1)
            seen.append(world.now)

    loop.inside(lambda: start(loop, ticks()))
    world.run(1.35)
    loop.freeze(5)
    world.run(10)
    gaps = [b - a for a, b in pairwise(seen)]
    assert max(gaps) == pytest.approx(5, abs=0.15)
    assert sum(gap > 1 for gap in gaps) == 1


def test_a_killed_process_is_gone_between_two_callbacks() -> None:
    world, loop, failed = world_and_loop()
    seen: list[float] = []

    async def ticks() -> None:
        while True:
            await asyncio.sleep(0.1)
            seen.append(world.now)

    loop.inside(lambda: start(loop, ticks()))
    world.run(2)
    loop.kill()
    before = len(seen)
    world.run(10)
    assert len(seen) == before
    assert failed == []


def test_what_no_task_catches_is_heard_of() -> None:
    world, loop, failed = world_and_loop()

    def breaks() -> None:
        raise ValueError("broken")

    loop.inside(breaks)
    world.run(2)
    assert "broken" in failed[0]
