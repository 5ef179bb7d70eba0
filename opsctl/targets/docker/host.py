"""An environment's containers, as the catalogue sees them, and as opsctl reaches them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Literal

from opsctl.images import configuration
from opsctl.services.base import Address
from opsctl.targets.docker.addresses import Addresses

HELD = "/run/opsctl"
"""Where a container has its configuration and its secrets, in memory and not to be written."""
SOCKETS = "/run/service"
DATA = "/data"
"""Where a service has its data, and what it reads of others'."""
PYTHON = configuration.PYTHON


class Inside:
    """What the catalogue is told: the paths within containers."""

    def __init__(self, addresses: Addresses, identity: str) -> None:
        """Answer by these addresses."""
        self._addresses = addresses
        self.identity = identity

    def program(self, package: str, binary: str) -> str:
        """Return the name of a program, which its image has on PATH."""
        return binary

    def python(self) -> tuple[str, ...]:
        """Return the interpreter of the images."""
        return PYTHON

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        """Return a folder of a service."""
        if use == "data":
            return f"{DATA}/{service}@{site}"
        return f"{HELD}/etc" if use == "config" else SOCKETS

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        """Return where a port is reached."""
        return self._addresses.address(f"{service}@{site}", seen_from or site, port)

    def secret(self, name: str) -> str:
        """Return the file of a secret."""
        return f"{HELD}/secrets/{name}"


class Outside:
    """What opsctl works with: the same addresses, and secrets as files of this machine."""

    def __init__(
        self, addresses: Addresses, root: Path, way: Callable[[str, Address], Address]
    ) -> None:
        """Answer by these addresses; secrets lie in a folder.

        `way` adds to an address in a place how it is reached from here.
        """
        self.addresses, self._way = addresses, way
        self._root = root

    @cached_property
    def identity(self) -> str:
        """The environment's UUID: as it is written down, else a new one, to be kept."""
        try:
            return (self._root / "identity").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return str(uuid.uuid4())

    def program(self, package: str, binary: str) -> str:
        """Return the name of a program."""
        return binary

    def python(self) -> tuple[str, ...]:
        """Return the interpreter of the images."""
        return PYTHON

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        """Return a folder within a container."""
        return Inside(self.addresses, self.identity).folder(service, site, use)

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        """Return where a port is reached, and how from here."""
        place = seen_from or site
        return self._way(place, self.addresses.address(f"{service}@{site}", place, port))

    def secret(self, name: str) -> str:
        """Return the file of a secret."""
        return str(self._root / "secrets" / name)
