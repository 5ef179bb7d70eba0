"""Run a program that ends when its parent ends, together with everything that it began.

A file of its own, run as `python bound.py PARENT PROGRAM [ARGUMENT ...]`, because it must be in
place before Ansible is. Ansible's workers are sessions of their own: where its main process ends
between two of them, or is killed, they go on changing a box, and nobody knows of it.

Two processes: the outer one is what ansible-runner knows and may kill; the inner one adopts
whatever loses its parent below it, and sees the outer one end. SIGTERM to the outer one ends the
program and all that it began; SIGINT is passed on, and the program ends as it sees fit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

GRACE_S = 10
"""How long the program may take to end once it was asked to; then all of it is killed."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # from linux/prctl.h
ENDED = 128 + signal.SIGTERM
_HEARD = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
_PASSED = (signal.SIGTERM, signal.SIGINT)


def run(parent: int, argv: Sequence[str]) -> int:
    """Run a program below `parent`; return its exit code, or 143 where the parent ended."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    outer = os.getpid()
    if os.getppid() != parent:
        return ENDED
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    inner = os.fork()
    if not inner:
        os.setsid()
        os._exit(_hold(outer, argv))
    while True:
        if (heard := signal.sigwait(_HEARD)) in _PASSED:
            os.kill(inner, heard)
        elif (code := _reaped().get(inner)) is not None:
            return code


def _hold(outer: int, argv: Sequence[str]) -> int:
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    program = _begin(outer, argv)
    if program is None:
        return ENDED
    while True:
        if (heard := signal.sigwait(_HEARD)) == signal.SIGTERM:
            _end(program)
            return ENDED
        if heard == signal.SIGINT:
            with contextlib.suppress(ProcessLookupError):
                os.kill(program, signal.SIGINT)
        if (code := _reaped().get(program)) is not None:
            return code


def _begin(outer: int, argv: Sequence[str]) -> int | None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != outer:
        return None
    program = os.fork()
    if program:
        return program
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    try:
        os.execv(argv[0], list(argv))  # noqa: S606 — that is what it is for
    except OSError as fault:
        print(f"{argv[0]}: {fault.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def _end(program: int) -> None:
    """End the program, and then whatever it left, which comes to us as its parent ends."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(program, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while program not in _reaped() and time.monotonic() < deadline:
        time.sleep(0.02)
    while children := Path("/proc/thread-self/children").read_text(encoding="ascii").split():
        for pid in children:
            os.kill(int(pid), signal.SIGKILL)
        _reaped()
        time.sleep(0.02)


def _reaped() -> dict[int, int]:
    """Take what has ended: its exit codes by process."""
    codes: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            code = os.waitstatus_to_exitcode(status)
            codes[pid] = code if code >= 0 else 128 - code
    return codes


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))
