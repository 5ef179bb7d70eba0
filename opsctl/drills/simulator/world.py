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
from typing import Any

_set_running_loop: Callable[[Any], None] = events._set_running_loop

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
        self.rate = 1.0
        """How fast the clocks of the process run that has its turn."""
        self.steps = 0
        self.stopped = False
        """Whether nothing more is to happen: something that must hold did not."""
        self.history: list[tuple[float, str, str]] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def utc_ns(self) -> int:
        """Return the time of day."""
        return EPOCH_NS + int(self.now * 1e9)

    def monotonic(self) -> float:
        """Return the monotonic clock as the process sees it that has its turn."""
        return self.now * self.rate

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something at a time; what is due at once keeps its order."""
        self._count = number = self._count + 1
        heapq.heappush(self._heap, (when if when > self.now else self.now, number, what))

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        """Do something after a time."""
        self._count = number = self._count + 1
        heapq.heappush(self._heap, (self.now + delay_s, number, what))

    def between(self, least: float, most: float) -> float:
        """Return a number by chance."""
        return least + (most - least) * self.random.random()

    def chance(self, of: float) -> bool:
        """Return whether something that happens so often happens now."""
        return self.random.random() < of

    def note(self, where: str, what: str) -> None:
        """Write a line of the history."""
        self.history.append((self.now, where, what))

    def run(self, until: float) -> None:
        """Let events happen up to a time, or until the world is `stopped`."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until and not self.stopped:
            self.now, _, what = pop(heap)
            self.steps += 1
            what()
        if not self.stopped:
            self.now = max(self.now, until)


class Call:
    """A callback that a loop will run: as much of a handle as asyncio asks of one."""

    __slots__ = ("_args", "_context", "_loop", "_what", "dropped")

    def __init__(
        self,
        loop: Loop,
        what: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> None:
        """Keep what to call; one without a context of its own runs in the world's."""
        self._loop, self._what, self._args, self._context = loop, what, args, context
        self.dropped = False

    def cancel(self) -> None:
        """Do not run it."""
        self.dropped = True

    def cancelled(self) -> bool:
        """Return whether it will not run."""
        return self.dropped

    def run(self) -> None:
        """Run it; what it raises is told to the loop."""
        try:
            if self._context is None:
                self._what(*self._args)
            else:
                self._context.run(self._what, *self._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as fault:  # noqa: BLE001 - as asyncio's own handle does
            self._loop.call_exception_handler({"message": f"in {self._what}", "exception": fault})

    def due(self) -> None:
        """Let the loop run it with its next turn, which is now."""
        loop = self._loop
        if not (self.dropped or loop.dead):
            loop.ready.append(self)
            loop.schedule(loop.world.now)


class Loop:
    """The event loop of one process: stepped by the world, frozen, or thrown away.

    As much of a loop as asyncio's tasks, futures and timeouts ask of one.
    """

    def __init__(
        self,
        world: World,
        name: str,
        failed: Callable[[str], None],
        *,
        rate: float = 1.0,
        skew_ns: int = 0,
    ) -> None:
        """Begin; `failed` hears of what no task has caught.

        The process's clocks run at `rate`, and its time of day is ahead by `skew_ns`.
        """
        self.world = world
        self.rate = rate
        self.skew_ns = skew_ns
        self.name = name
        self.dead = False
        self.frozen_until = 0.0
        self.ready: deque[Call] = deque()
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
        self.ready.clear()

    def inside(self, what: Callable[[], None]) -> None:
        """Let something reach the process from outside, as soon as it runs."""
        if not self.dead:
            self.call_soon(what)

    def _turn(self) -> None:
        self._scheduled = False
        if self.dead:
            return
        world, ready = self.world, self.ready
        if self.frozen_until > world.now:
            self.schedule(self.frozen_until)
            return
        _set_running_loop(self)
        world.rate = self.rate
        try:
            for _ in range(len(ready)):
                call = ready.popleft()
                if not call.dropped:
                    call.run()
                if self.dead:
                    return
                if self.frozen_until > world.now:
                    break  # frozen in the middle of its work
        finally:
            _set_running_loop(None)
        if ready:
            self.schedule(world.now + TURN_S)

    def schedule(self, when: float) -> None:
        """Take a turn at a time, if none is due before."""
        # What a dead process still does is its coroutines being thrown away.
        if not (self._scheduled or self.dead):
            self._scheduled = True
            self.world.at(when, self._turn)

    # What asyncio asks of a loop

    def time(self) -> float:
        """Return the process's monotonic clock."""
        return self.world.now * self.rate

    def utc_ns(self) -> int:
        """Return the time of day, as the process's clock has it."""
        return EPOCH_NS + int(self.time() * 1e9) + self.skew_ns

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        """Run a callback with the next turn."""
        call = Call(self, callback, args, context)
        self.ready.append(call)
        if not self._scheduled:
            self.schedule(self.world.now + TURN_S)
        return call

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Call:
        """Run a callback after a time."""
        call = Call(self, callback, args, context)
        self.world.after(delay / self.rate, call.due)
        return call

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Call:
        """Run a callback at a time."""
        call = Call(self, callback, args, context)
        self.world.at(when / self.rate, call.due)
        return call

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)  # type: ignore[arg-type]

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        """Return a task of this loop."""
        return asyncio.Task(coro, loop=self, name=name, context=context)  # type: ignore[arg-type]

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

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Hear of what nobody caught."""
        if not self.dead:
            fault = context.get("exception")
            self._failed(f"{self.name}: {context['message']}: {fault!r}")
