"""Processes of services signalled, kept down and brought up again, through supervisord."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from opsctl.errors import OpsctlError
from opsctl.targets.local import processes
from opsctl.targets.local.supervisor import STOPPING, Program

ENDED_WITHIN_S = 30.0
"""Longer than supervisord lets any service take to stop before it kills it."""
AGAIN_S = 0.1


class Supervising(Protocol):
    """What is asked of supervisord."""

    def programs(self) -> Sequence[Program]:
        """Return what it has loaded."""
        ...

    def halt(self, program: Program) -> None:
        """Tell it to stop one, and to leave it stopped."""
        ...

    def run(self, program: Program) -> None:
        """Tell it to start one."""
        ...


def aim(
    supervisord: Supervising, services: Sequence[str], number: signal.Signals
) -> Callable[[], None]:
    """Return what signals the processes that services have now, and no later ones."""
    held: list[int] = []
    for program in supervisord.programs():
        if program.key in services and program.pid:
            with contextlib.suppress(ProcessLookupError):
                held.append(os.pidfd_open(program.pid))

    def strike() -> None:
        for process in held:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
        for process in held:
            os.close(process)
        held.clear()

    return strike


def processes_of(supervisord: Supervising, services: Sequence[str]) -> list[int]:
    """Return the processes of services with all that they have started."""
    known = processes.children()
    todo = [p.pid for p in supervisord.programs() if p.key in services and p.pid]
    found: list[int] = []
    while todo:
        found.append(todo.pop())
        todo += known.get(found[-1], ())
    return found


def keep_down(supervisord: Supervising, services: Sequence[str]) -> None:
    """Kill services, and tell supervisord to leave them stopped, until it does.

    One that has just ended it takes for stopped, and starts it again after that. Raises
    `OpsctlError` where one is not to be kept down in time.
    """
    aim(supervisord, services, signal.SIGKILL)()
    until = time.monotonic() + ENDED_WITHIN_S
    while True:
        for program in supervisord.programs():
            if program.key in services:
                supervisord.halt(program)
        aim(supervisord, services, signal.SIGKILL)()  # what it has started again meanwhile, too
        known = [p for p in supervisord.programs() if p.key in services]
        if not (up := [p.key for p in known if not p.stays_down]):
            return
        if time.monotonic() > until:
            raise OpsctlError(f"{', '.join(up)}: not to be kept down in {ENDED_WITHIN_S:g} s")
        time.sleep(AGAIN_S)


def bring_up(supervisord: Supervising, services: Sequence[str]) -> None:
    """Tell supervisord to start what was kept down; what still ends, when it has ended.

    Raises `OpsctlError` where a service does not end in time.
    """
    until = time.monotonic() + ENDED_WITHIN_S
    while True:
        wanted = [p for p in supervisord.programs() if p.key in services]
        for program in wanted:
            if not program.runs:
                supervisord.run(program)
        ending = [program.key for program in wanted if program.state == STOPPING]
        if not ending:
            return
        if time.monotonic() > until:
            raise OpsctlError(
                f"{', '.join(ending)} did not end in {ENDED_WITHIN_S:g} s",
                hint="repeat the command; opsctl status shows what still ends",
            )
        time.sleep(AGAIN_S)  # supervisord tells of no change by itself
