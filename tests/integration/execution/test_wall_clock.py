"""The wall clock of execution is set while it trades."""

from __future__ import annotations

import asyncio
import time

from tests.integration.execution.platform import (
    Platform,
    decision,
    eventually,
    hearing,
    market,
    platform,
    reconciled,
    submit,
)
from tests.integration.execution.test_execution import Load
from tests.integration.execution.test_failures import BUY, orders_go_on
from tests.support.wall_clock import WallClock, wall_clock


def test_a_wall_clock_that_is_set_under_execution_loses_nothing() -> None:
    """A session that looks at its timer just after a step forward gives up its line.

    What was under way is in doubt for a moment then. Where the clock is behind, the process
    ends to dial anew, and its supervisor starts it.
    """

    shift = born = 0  # hours: of the clock, and of the clock that the process started with

    def kept_up(running: Platform) -> bool:
        nonlocal born
        execution = running.processes["execution"]
        if not execution.alive:
            assert "the clock was set back" in execution.log()
            born = shift
            running.start("execution")
        return True

    async def go(running: Platform, clock: WallClock) -> None:
        nonlocal shift
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            load = Load(running)
            for shift in (1, -1, 0):
                clock.set(shift * 3_600)
                seen_s = running.metric("trading_clock_shift_seconds")
                assert abs(seen_s - (shift - born) * 3_600) < 5
                done = len(heard.done)
                await asyncio.sleep(1.5)  # the FIX engine looks at its own timers once a second
                await eventually(
                    "more are done",
                    lambda done=done: kept_up(running) and len(heard.done) > done + 50,  # type: ignore[misc]
                )
            await load.stop()
            await eventually(
                "every decision is done",
                lambda: kept_up(running) and len(heard.done) >= load.count,
            )
            running.until_ready("execution")
        reasons = {done.reason for done in heard.done.values() if done.verdict != "done"}
        assert all("in doubt" in reason for reason in reasons), reasons
        for name, findings in (await reconciled(running)).items():
            assert findings.clean, (name, findings)

    with wall_clock() as clock, platform() as running:
        running.processes["execution"].with_environment(clock.environment)
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running, clock))


def test_a_session_that_is_lost_under_a_clock_set_back_is_dialled_by_a_new_process() -> None:
    async def go(running: Platform, clock: WallClock) -> None:
        execution = running.processes["execution"]
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            clock.set(-3_600)
            await submit(bus, [decision(1, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, 1)
            assert execution.alive, "a clock that was set back takes no session away"
            running.server("venue").kill()
            await eventually("it ends", lambda: not execution.alive)
            assert "the clock was set back by 3600 s" in execution.log().replace("3599", "3600")
            running.start("venue")
            running.start("execution")
            await submit(bus, [decision(2, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, 2)

    with wall_clock() as clock, platform() as running:
        running.processes["execution"].with_environment(clock.environment)
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running, clock))


def test_midnight_takes_no_session_and_no_number_away() -> None:
    """A FIX engine with a session of a day logs out and counts from 1; ours do not."""

    def before_midnight(seconds: int) -> int:
        return -int(time.time()) % 86_400 - seconds

    async def go(running: Platform, clock: WallClock) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            await submit(bus, [decision(1, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, 1)
            clock.set(before_midnight(3))  # at most a heartbeat on, which takes no session away
            await asyncio.sleep(5.0)
            await submit(bus, [decision(2, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, 2)
            logons = running.server("venue").log().count("logged on")
            assert logons == 2, "a session was lost at midnight"
            running.processes["execution"].kill()
            running.start("execution")
            await submit(bus, [decision(3, ("AAPL", BUY, 5))])
            await orders_go_on(running, heard, 3)
        for name, findings in (await reconciled(running)).items():
            assert findings.clean, (name, findings)

    with wall_clock() as clock, platform() as running:
        clock.set(before_midnight(8))
        for name in ("venue", "execution"):
            running.processes[name].with_environment(clock.environment)
            running.start(name)
        asyncio.run(go(running, clock))
