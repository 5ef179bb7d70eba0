"""Ending processes of containers as a crash does: the engine starts those again.

What is killed through an engine it takes for stopped, and the first process of a container is
safe from its own. So the signal comes from outside: from this machine where the container is
on it, else from a container on its host that sees the host's processes and may do nothing but
send signals.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.images.running import Runnable
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.hosts import here
from opsctl.targets.docker.observing import Seen

READY = b"ready"
STRIKE = (
    "import os, signal, sys\n"
    "held = []\n"
    "for pid in sys.argv[1:]:\n"
    "    try: held.append(os.pidfd_open(int(pid)))\n"
    "    except ProcessLookupError: pass\n"
    "print('ready', flush=True)\n"
    "if sys.stdin.read(1):\n"
    "    for each in held:\n"
    "        try: signal.pidfd_send_signal(each, signal.SIGKILL)\n"
    "        except ProcessLookupError: pass\n"
    "    print('struck', flush=True)\n"
)
Found = Sequence[tuple[Containers, Seen]]


def killing(found: Found, python: Callable[[], Runnable]) -> Callable[[], None]:
    """Return what ends the first process of each container; everything is looked up now."""
    held: list[int] = []
    remote: dict[str, tuple[Containers, list[int]]] = {}
    for where, one in found:
        pid = one["State"]["Pid"]
        if not pid:
            continue
        if here(where.engine):
            with contextlib.suppress(ProcessLookupError):
                held.append(os.pidfd_open(pid))
        else:
            remote.setdefault(where.engine.address, (where, []))[1].append(pid)
    strikers = [Striker(where, pids, python()) for where, pids in remote.values()]

    def strike() -> None:
        for process in held:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        for each in strikers:
            each.strike()
        for process in held:
            os.close(process)
        held.clear()

    return strike


class Striker:
    """A container that holds processes of its host, and kills them when told."""

    def __init__(self, where: Containers, pids: Sequence[int], image: Runnable) -> None:
        """Start it, and wait until it holds them."""
        self._where = where
        self.name = naming.of(where.environment, "striker", str(pids[0]))
        labels = naming.labels(where.environment, where.identity, **{naming.ROLE: "step"})
        where.remove(self.name, 0)
        with errors(where.engine.address):
            api = where.api
            made = api.create_container(
                image.reference,
                command=[*image.python, "-I", "-S", "-c", STRIKE, *map(str, pids)],
                entrypoint=[],
                user="0:0",
                name=self.name,
                labels=labels,
                stdin_open=True,
                host_config=api.create_host_config(
                    read_only=True,
                    network_mode="none",
                    pid_mode="host",
                    cap_drop=["ALL"],
                    cap_add=["KILL"],
                    security_opt=["no-new-privileges"],
                ),
                healthcheck={"Test": ["NONE"]},
            )["Id"]
            line = api.attach_socket(made, params={"stdin": 1, "stdout": 1, "stream": 1, "logs": 1})
            self._line: Any = getattr(line, "_sock", line)
            self._kept = line
            api.start(made)
        self._hear(READY)

    def strike(self) -> None:
        """Kill; return once it is done."""
        try:
            self._line.sendall(b"!")
            self._line.shutdown(socket.SHUT_WR)
            self._hear(b"struck")
        finally:
            self._kept.close()
            self._where.remove(self.name, 0)

    def _hear(self, word: bytes) -> None:
        said = b""
        while word not in said:
            part = self._line.recv(4_096)
            if not part:
                raise OpsctlError(
                    f"{self.name} ended before it said {word.decode()}: {said!r}",
                    hint="docker logs shows why",
                )
            said += part
