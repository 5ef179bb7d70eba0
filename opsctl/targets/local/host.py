"""This machine, as the catalogue sees it."""

from __future__ import annotations

import sys
import uuid
from functools import cached_property
from typing import Literal

from opsctl.errors import ToolMissing
from opsctl.services.base import Address
from opsctl.targets.local import ports
from opsctl.targets.local.layout import Layout
from opsctl.toolchain import programs as toolchain


class LocalHost:
    """Programs, folders, ports and secrets of one environment on this machine."""

    def __init__(self, layout: Layout) -> None:
        """Read the ports that were chosen before."""
        self._layout = layout
        self.ports = ports.Ports(layout.ports)

    @cached_property
    def identity(self) -> str:
        """The environment's UUID: as it is written down, else a new one, to be kept."""
        try:
            return self._layout.identity.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return str(uuid.uuid4())

    def program(self, package: str, binary: str) -> str:
        """Return the path of a program; raise `ToolMissing` naming all that are missing."""
        try:
            return str(toolchain.path(package, binary))
        except ToolMissing as fault:
            missing = toolchain.missing(toolchain.required())
            if len(missing) < 2:
                raise
            raise ToolMissing(
                f"{len(missing)} programs are not here: {', '.join(missing)}",
                hint="opsctl toolchain install",
            ) from fault

    def python(self) -> tuple[str, ...]:
        """Return this interpreter."""
        return (sys.executable,)

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        """Return a folder of a service."""
        return str(self._layout.folder(f"{service}@{site}", use))

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        """Return where a port is reached: from everywhere alike."""
        return Address(host=ports.LOOPBACK, port=self.ports.port(f"{service}@{site}/{port}"))

    def secret(self, name: str) -> str:
        """Return the file of a secret."""
        return str(self._layout.secrets / name)
