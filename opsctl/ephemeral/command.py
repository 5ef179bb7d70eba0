"""The command that is run within an environment: told where it is, ended when its time is over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from opsctl.ephemeral.cancelling import Cancellation, Cancelled
from opsctl.errors import UsageError
from opsctl.model.environment import Environment
from opsctl.model.ephemeral import shown
from opsctl.services.base import Service
from opsctl.state import state_root
from opsctl.targets.base import Target

GRACE_S = 5.0
"""What a command has to end by itself once it is told to: a job of CI has ten seconds in all."""


@dataclass(frozen=True)
class Ran:
    """How a command ended: by itself with a code, or else by us."""

    exit_code: int
    ended_by: str = ""
    """`signal` or `time`; empty where it ended by itself."""


def variables(
    environment: Environment, services: Sequence[Service], target: Target
) -> dict[str, str]:
    """Return what a command is told: names, the end, and where each port of a service is.

    `OPSCTL_AT_POSTGRES_A_SQL=127.0.0.1:20011` is the port `sql` of `postgres@a`.
    """
    found = {
        "OPSCTL_ENVIRONMENT": environment.name,
        "OPSCTL_EXPIRES": shown(environment.ephemeral.until or datetime.now(UTC)),
        "OPSCTL_STATE": str(state_root()),
    }
    for each in services:
        for port in each.ports:
            name = f"OPSCTL_AT_{each.name}_{each.site}_{port}".upper().replace("-", "_")
            found[name] = str(target.host.address(each.name, each.site, port))
    return found


def run(
    argv: Sequence[str],
    told: Mapping[str, str],
    *,
    until: datetime,
    cancellation: Cancellation,
    output: int | None,
) -> Ran:
    """Run a command to its end and return how it ended; what it started ends with it.

    It gets no input, and a session of its own, so that a signal reaches all of it once.

    Raises:
        UsageError: there is no such program.
    """
    try:
        process = subprocess.Popen(
            argv,
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            stdout=output,
            start_new_session=True,
        )
    except OSError as fault:
        raise UsageError(
            f"{argv[0]} cannot be run: {fault.strerror}", hint="name a program, then its words"
        ) from fault
    ended_by = ""
    try:
        with cancellation.ending():
            process.wait(max((until - datetime.now(UTC)).total_seconds(), 0.0))
    except Cancelled:
        ended_by = "signal"
    except subprocess.TimeoutExpired:
        ended_by = "time"
    finally:
        _end(process)
    code = process.returncode
    return Ran(code if code >= 0 else 128 - code, ended_by)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command, and whatever of it outlives it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
