"""The ports of an environment: chosen once from free ones, then kept.

They lie below the range from which the kernel takes ports for outgoing connections, so
that a service that is stopped for a moment finds its port free again.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.targets.files import write
from opsctl.targets.reserving import Reservation, reserve

FIRST, LAST = 20_000, 29_999
LOOPBACK = "127.0.0.1"


class Ports:
    """The ports of one environment by name (`postgres@a/sql`)."""

    def __init__(self, path: Path) -> None:
        """Read what was chosen before; choose nothing yet."""
        self._path = path
        self._kept = read(path)
        self._known = dict(self._kept)
        self._taken: set[int] | None = None
        self._claims: list[Reservation] = []
        self._next = random.randrange(FIRST, LAST)

    def port(self, name: str) -> int:
        """Return a port by name, chosen now if it never was."""
        if name not in self._known:
            self._known[name] = self._choose()
        return self._known[name]

    def keep(self, used: Mapping[str, int]) -> None:
        """Write down the ports that were chosen, and those that services use (which win)."""
        wanted = {**self._known, **used}
        if wanted != self._kept or not self._path.exists():
            write(self._path, json.dumps(dict(sorted(wanted.items())), indent=2) + "\n")
            self._kept = self._known = wanted

    def _choose(self) -> int:
        if self._taken is None:
            self._taken = set(_of_others(self._path))
        for _ in range(FIRST, LAST):
            self._next = FIRST + (self._next + 1 - FIRST) % (LAST - FIRST)
            if (
                self._next not in self._taken
                and self._next not in self._known.values()
                and (claim := reserve(f"port-{self._next}")) is not None
            ):
                # Held first and then looked at: who held it before may listen on it by now.
                if free(self._next):
                    self._claims.append(claim)
                    return self._next
                claim.give_up()
        raise OpsctlError(
            f"no port between {FIRST} and {LAST} is free",
            hint="stop what uses them; `ss -ltnp` lists it",
        )


def read(path: Path) -> dict[str, int]:
    """Return the ports of a file by name; empty where there is none."""
    try:
        return {str(name): int(port) for name, port in json.loads(path.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as fault:
        raise OpsctlError(
            f"{path} cannot be read: {fault}",
            hint=f"remove {path} and deploy again: other ports are chosen",
        ) from fault


def free(port: int) -> bool:
    """Return whether a server could listen on a loopback port now."""
    with socket.socket() as attempt:
        # As servers do: connections of a former listener that linger are no obstacle.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _of_others(path: Path) -> Iterable[int]:
    """Return the ports of the other environments of this state folder, stopped ones too."""
    for other in path.parent.parent.glob(f"*/{path.name}"):
        if other != path:
            try:
                yield from read(other).values()
            except (OpsctlError, OSError):  # its own deploy says so
                continue
