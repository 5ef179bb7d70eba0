"""What the client of a drill is told to do, and what it writes: values on stdin and stdout."""

from __future__ import annotations

from typing import Any

import msgspec

from opsctl.drills.shape import Load


class Bus(msgspec.Struct, frozen=True):
    """Where a site's bus is."""

    site: str
    host: str
    port: int
    password: str

    def open(self) -> Any:
        """Return a client of it."""
        from valkey import Valkey

        return Valkey(
            host=self.host,
            port=self.port,
            password=self.password,
            socket_timeout=2.0,
            socket_connect_timeout=1.0,
        )


class Task(msgspec.Struct, frozen=True):
    """What a client is to do: `name` marks its decisions."""

    name: str
    buses: tuple[Bus, ...]
    load: Load

    def written(self) -> bytes:
        """Return it as a line that `read` reads."""
        return msgspec.json.encode(self, enc_hook=lambda load: load.model_dump()) + b"\n"


def read(line: bytes) -> Task:
    """Return the task that a line holds."""
    return msgspec.json.decode(line, type=Task, dec_hook=lambda _, load: Load.model_validate(load))


class Acknowledged(msgspec.Struct, frozen=True, tag="acknowledged"):
    """The platform has told an order from its journal, for the first time."""

    order: str
    at_ns: int
    state: str


class Submitted(msgspec.Struct, frozen=True, tag="submitted"):
    """Orders were decided, to be submitted to every site."""

    at_ns: int
    orders: tuple[str, ...]


Line = Acknowledged | Submitted
