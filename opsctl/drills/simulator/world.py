"""Virtual time: one heap of events, and an event loop for every simulated process.

Nothing runs by itself. `World.run` takes the next event, sets the clock to it, and runs
what it is for; whatever is decided by chance is drawn from the world's own generator. So a
seed is a whole history, to the last callback.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from random import Random
from typing import Any, cast

TURN_S = 20e-6
"""What a turn of a loop takes: the smallest time between a wake and what follows."""
EPOCH_NS = 1_262_700_000_000_000_000
"""What the worlds' clocks show at their beginning: 2010-01-05 in UTC."""


class World:
    """The time, the chance, and the history of one simulated run."""

    def __init__(self, seed: int) -> None:
        """Begin at second 1."""
        self.random = Random(seed)
        self.now = 1.0
        self.steps = 0
        self.history: list[tuple[float, str, str]] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def utc_ns(self) -> int:
        """Return the time of day."""
        return EPOCH_NS + int(self.now * 1e9)

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something at a time; what is due at once keeps its order."""
        number = self._count = self._count + 1
        heapq.heappush(self._heap, (max(when, self.now), number, what))

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        """Do something after a time."""
        self.at(self.now + delay_s, what)

    def between(self, least: float, most: float) -> float:
        """Return a number by chance."""
        return least + (most - least) * self.random.random()

    def chance(self, of: float) -> bool:
        """Return whether something that happens so often happens now."""
        return self.random.random() < of

    def note(self, where: str, what: str) -> None:
        """Write a line of the history."""
        self.history.append((self.now, where, what))

    def run(self, until: float, over: Callable[[], bool] = lambda: False) -> None:
        """Let events happen up to a time, or until `over` says so."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, what = heapq.heappop(heap)
            self.steps += 1
            what()
            if over():
                return
        self.now = max(self.now, until)


class Loop:
    """The event loop of one process: stepped by the world, frozen, or thrown away.

    As much of a loop as asyncio's tasks, futures and timeouts ask of one.
    """

    def __init__(self, world: World, name: str, failed: Callable[[str], None]) -> None:
        """Begin; `failed` hears of what no task has caught."""
        self.world = world
        self.name = name
        self.dead = False
        self.frozen_until = 0.0
        self._ready: deque[events.Handle] = deque()
        self._scheduled = False
        self._failed = failed

    # What the world does to it

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin the process's work."""
        return self.create_task(work)

    def freeze(self, seconds: float) -> None:
        """Stop where it is for a time."""
        self.frozen_until = max(self.frozen_until, self.world.now + seconds)

    def kill(self) -> None:
        """Throw it away between two callbacks."""
        self.dead = True
        self._ready.clear()

    def inside(self, what: Callable[[], None]) -> None:
        """Let something reach the process from outside, as soon as it runs."""
        if not self.dead:
            self.call_soon(what)

    def _turn(self) -> None:
        self._scheduled = False
        if self.dead:
            return
        if self.frozen_until > self.world.now:
            self._schedule(self.frozen_until)
            return
        events._set_running_loop(_loop(self))
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle._cancelled:
                    handle._run()
                if self.dead:
                    return
                if self.frozen_until > self.world.now:
                    break  # frozen in the middle of its work
        finally:
            events._set_running_loop(None)
        if self._ready:
            self._schedule(self.world.now + TURN_S)

    def _schedule(self, when: float) -> None:
        # What a dead process still does is its coroutines being thrown away.
        if not self._scheduled and not self.dead:
            self._scheduled = True
            self.world.at(when, self._turn)

    # What asyncio asks of a loop

    def time(self) -> float:
        """Return the world's time."""
        return self.world.now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.Handle:
        """Run a callback with the next turn."""
        handle = events.Handle(callback, args, _loop(self), context)
        self._ready.append(handle)
        self._schedule(self.world.now + TURN_S)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> events.TimerHandle:
        """Run a callback after a time."""
        return self.call_at(self.world.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> events.TimerHandle:
        """Run a callback at a time."""
        handle = events.TimerHandle(when, callback, args, _loop(self), context)

        def due() -> None:
            if not self.dead and not handle._cancelled:
                self._ready.append(handle)
                self._schedule(self.world.now)

        self.world.at(when, due)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=_loop(self))

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        """Return a task of this loop."""
        return asyncio.Task(coro, loop=_loop(self), name=name, context=context)

    def run_in_executor(
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function here and now: there are no threads."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as fault:  # noqa: BLE001 - it is the future's to tell
            future.set_exception(fault)
        return future

    def get_debug(self) -> bool:
        """Return that there is nothing to debug."""
        return False

    def is_running(self) -> bool:
        """Return that it runs."""
        return True

    def is_closed(self) -> bool:
        """Return whether it was thrown away."""
        return False

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """Take note of nothing: a cancelled timer does nothing when it is due."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Hear of what nobody caught."""
        if not self.dead:
            fault = context.get("exception")
            self._failed(f"{self.name}: {context['message']}: {fault!r}")


def _loop(loop: Loop) -> asyncio.AbstractEventLoop:
    return cast("asyncio.AbstractEventLoop", loop)
