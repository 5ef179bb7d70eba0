"""A process of a test, the folder and the ports that it is given, and the wait for it."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opsctl.targets.local import ports

PORTS = range(10_000, 19_999)
"""Below the kernel's range for outgoing connections, so that a port stays free until it is
bound, and below that of deployed environments."""


_untried = itertools.cycle(random.sample(PORTS, len(PORTS)))


def free_port() -> int:
    """Return a port that nothing listens on, and that this process never returned before."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in itertools.islice(_untried, len(PORTS)):
        if port % workers == worker % workers and ports.free(port):
            return port
    raise RuntimeError(f"no port of {PORTS} is free")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Yield a temporary folder that other accounts may traverse (PostgreSQL refuses root)."""
    path = Path(tempfile.mkdtemp(prefix="opsctl-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wait_for(ready: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Poll until `ready` says so; fail with `what` after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready in {timeout_s} s")
        time.sleep(0.02)


class Process:
    """A process with a log; can be killed and started again as it was."""

    def __init__(
        self,
        argv: list[str],
        log: Path,
        *,
        user: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Prepare; `start` runs it."""
        self._argv, self._log, self._user = argv, log, user
        self._env = env
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, its output appended to the log."""
        with self._log.open("ab") as out:
            self.popen = subprocess.Popen(
                self._argv,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._env,
                cwd=self._log.parent if self._env is None else None,
                user=self._user,
                group="nogroup" if self._user else None,
                extra_groups=[] if self._user else None,
            )

    def behind(self, *words: str) -> None:
        """Run the command behind other words, when it is started next."""
        self._argv = [*words, *self._argv]

    def with_environment(self, more: dict[str, str]) -> None:
        """Add variables, for when it is started next."""
        self._env = {**(os.environ if self._env is None else self._env), **more}

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.popen is not None
        return self.popen.pid

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """End it with a signal, then SIGKILL; return its exit code."""
        if self.popen is None:
            return 0
        self.popen.send_signal(number)
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def log(self) -> str:
        """Return what it printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def freeze(pid: int) -> None:
    """Stop a process where it is, and wait until it stands still.

    A signal is taken by one thread after the other as each next runs: one that was not stopped
    yet may still answer.
    """
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: _states(pid) <= set("TZ"), f"process {pid} to stand still")


def _states(pid: int) -> set[str]:
    """Return the states of the threads of a process, of those that have not ended."""
    found = set()
    for thread in Path(f"/proc/{pid}/task").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.add(thread.read_text().rpartition(")")[2].split()[0])
    return found


def processes(*words: str) -> list[int]:
    """Return the processes of this machine whose command line has all of these words."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if all(word in line for word in words) and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found
