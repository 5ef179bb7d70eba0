"""A host that is nowhere: the catalogue made for it needs no program and no port."""

from __future__ import annotations

from typing import Literal

from opsctl.services.base import Address


class PlainHost:
    """Answers every question of the catalogue with a value that names what was asked."""

    identity = "00000000-0000-4000-8000-000000000000"

    def __init__(self) -> None:
        """Know no port yet."""
        self.known: dict[str, int] = {}

    def program(self, package: str, binary: str) -> str:
        """Return a path that names both."""
        return f"/programs/{package}/{binary}"

    def python(self) -> tuple[str, ...]:
        """Return an interpreter."""
        return ("/programs/python",)

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        """Return a path that names all three."""
        return f"/state/{use}/{service}@{site}"

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        """Return one port for a name, in the order of asking."""
        name = f"{service}@{site}/{port}"
        return Address(host="127.0.0.1", port=self.known.setdefault(name, 20_000 + len(self.known)))

    def secret(self, name: str) -> str:
        """Return a path that names it."""
        return f"/state/secrets/{name}"
