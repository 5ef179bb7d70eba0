"""Processes of the apps, forked from one that has imported what they share.

An app imports for a second of a processor, which was most of what tests of the order path cost.
What is forked is a process as any other: with a pid to be killed or frozen by, with its own
variables, log and exit code. `python -m tests.support.apps FD` is what forks; it keeps those that
have ended until their exit codes are asked for, as a parent does.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.process import Process

ROOT = Path(__file__).resolve().parents[2]
SHARED = (
    "apps.core.app",
    "apps.core.books",
    "apps.core.bus",
    "apps.core.etcd",
    "apps.core.fix",
    "apps.core.journal",
)
"""What is imported before the first fork. Nothing of one app: all would have its metrics."""
STRICT = {"PYTHONWARNINGS": "error"}
"""Warnings are errors in every app."""
LARGEST = 200_000
"""Bytes that a request may have: variables."""


class Forker:
    """The process that forks, for as long as the process that started it lives."""

    def __init__(self) -> None:
        """Start it."""
        self._line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(other.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, **STRICT},
                pass_fds=[other.fileno()],
            )
        atexit.register(self.stop)

    def stop(self) -> None:
        """End it; what it has forked is its test's to end."""
        self._line.close()
        self._process.wait()

    def ask(self, request: Mapping[str, Any], *files: int) -> int:
        """Return its answer to a request."""
        with self._lock:
            socket.send_fds(self._line, [json.dumps(request).encode()], files)
            return int(self._line.recv(16))


@functools.cache
def forker() -> Forker:
    """Return what forks for this process."""
    return Forker()


class Forked:
    """What was forked, held as `subprocess.Popen` holds a child."""

    def __init__(self, module: str, log: Path, env: Mapping[str, str]) -> None:
        """Have it run a module, its output appended to a log."""
        self.returncode: int | None = None
        self._module = module
        with log.open("ab") as out:
            self.pid = forker().ask({"module": module, "env": dict(env)}, out.fileno())
        self._ended = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._code(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code."""
        if (code := self._code(timeout)) is None:
            raise subprocess.TimeoutExpired(self._module, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """End it with SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _code(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout_s)[0]:
            self.returncode = forker().ask({"ended": self.pid})
            os.close(self._ended)
        return self.returncode


class App(Process):
    """An app as a process: forked, or started as the program that it is where that matters.

    It matters behind other words, and to variables that the loader or the interpreter reads.
    """

    popen: subprocess.Popen[bytes] | Forked | None  # type: ignore[assignment]

    def __init__(
        self, module: str, log: Path, env: Mapping[str, str], *, fork: bool = True
    ) -> None:
        """Prepare; `start` runs it."""
        super().__init__([sys.executable, "-m", module], log, env={**env, **STRICT})
        self._module, self._fork = module, fork

    def start(self) -> None:
        """Start it, its output appended to the log."""
        if self._fork and self._env is not None:
            self.popen = Forked(self._module, self._log, self._env)
        else:
            super().start()

    def behind(self, *words: str) -> None:
        """Run it behind other words, when it is started next."""
        self._fork = False
        super().behind(*words)

    def with_environment(self, more: dict[str, str]) -> None:
        """Add variables, for when it is started next."""
        self._fork = False
        super().with_environment(more)


def serve(line: socket.socket) -> None:
    """Fork for every request; in the forked process, return when it is to end."""
    for name in SHARED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is shared must not be written to by the first collection of each fork
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with who started it
    while True:
        said, files, _, _ = socket.recv_fds(line, LARGEST, 1)
        if not said:
            return None
        asked = json.loads(said)
        if "ended" in asked:
            _, status = os.waitpid(asked["ended"], 0)
            answer = os.waitstatus_to_exitcode(status)
        elif (answer := os.fork()) == 0:
            signal.signal(signal.SIGINT, interrupt)
            line.close()
            return _be(asked["module"], asked["env"], *files)
        for file in files:
            os.close(file)
        line.send(str(answer).encode())


def _be(module: str, env: Mapping[str, str], out: int) -> None:
    """Run a module as `python -m` does."""
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as own:
        serve(own)
