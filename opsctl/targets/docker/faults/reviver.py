"""Kills an engine when it is told to, and starts it again when nobody holds it any more.

    python -I -S reviver.py < orders

The first line of its input says whom to kill and how it is started; `kill` does it. At the end of
the input, that is when opsctl says so or has been killed itself, it starts the engine again, as
often as that takes, and ends; it ends at once where nothing was killed. So no death of opsctl
leaves a machine without its engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DEAD_WITHIN_MS = 10_000
GONE_WITHIN_S = 10.0
ANSWERS_WITHIN_S = 60.0
TRIES = 4
POLL_S = 0.05


def main() -> int:
    """Follow the orders, as nobody's child."""
    if os.fork():
        return 0
    os.setsid()
    orders: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    pid = int(orders["pid"])
    victim = os.pidfd_open(pid)
    say("ready")
    killed = False
    while line := sys.stdin.buffer.readline():
        if line.strip() == b"kill":
            family = [pid, *children(pid)]
            signal.pidfd_send_signal(victim, signal.SIGKILL)
            waiting = select.poll()
            waiting.register(victim, select.POLLIN)
            killed = bool(waiting.poll(DEAD_WITHIN_MS))
            say("dead" if killed else "it does not die")
    if killed:
        bury(family, orders["pidfiles"])
        revive(orders)
    return 0


def say(word: str) -> None:
    """Answer, in one piece."""
    os.write(sys.stdout.fileno(), f"{word}\n".encode())


def children(pid: int) -> list[int]:
    """Return the processes that end with an engine: those that it has started itself."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text("ascii").rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
    return found


def bury(pids: list[int], pidfiles: list[str]) -> None:
    """Wait until an engine's children have no number any more, and remove what names itself.

    An engine that finds the number of its predecessor alive does not start, or that of its
    containerd, waits for it in vain; a zombie that nobody has waited for is in its way as well.
    """
    until = time.monotonic() + GONE_WITHIN_S
    first, *others = pids
    while any(Path(f"/proc/{pid}").exists() for pid in others) and time.monotonic() < until:
        time.sleep(POLL_S)  # no event tells that a zombie was waited for
    for path in map(Path, pidfiles):
        with contextlib.suppress(OSError, ValueError):
            if int(path.read_text("ascii")) == first:
                path.unlink()


def revive(orders: Mapping[str, Any]) -> None:
    """Start it until it answers; one that ends before is started again."""
    for _ in range(TRIES):
        child = os.fork()
        if child == 0:
            become(orders)
        if answers(str(orders["socket"]), child):
            return


def answers(path: str, child: int) -> bool:
    """Return whether somebody answers at a socket in time, before a child ends in vain."""
    until = time.monotonic() + ANSWERS_WITHIN_S
    ended = False
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(path)
            line.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            if b"200 OK" in line.recv(100):
                return True
        if not ended and os.waitpid(child, os.WNOHANG) != (0, 0):
            ended = True
            until = min(until, time.monotonic() + 1)  # what it has asked to be started, say
        time.sleep(POLL_S)  # a socket that is not there yet tells nobody when it will be
    return False


def become(orders: Mapping[str, Any]) -> None:
    """Turn into the process that is to be, with the limits and the surroundings it had."""
    os.setsid()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, int(orders["nice"]))
    for number, (soft, hard) in orders["limits"]:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(number, (soft, hard))
    os.chdir(orders["cwd"])
    os.umask(int(orders["umask"]))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    for descriptor, path in ((1, orders["stdout"]), (2, orders["stderr"])):
        try:
            out = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError:
            out = nothing
        os.dup2(out, descriptor)
    os.closerange(3, 256)
    os.execve(orders["program"], orders["argv"], orders["environment"])  # noqa: S606 - as it ran


if __name__ == "__main__":
    sys.exit(main())
