"""An environment's certificate authority, changed for another while everything trusts it.

In three steps, each of which is deployed before the next is taken: trust the next authority
beside the former; issue everything anew by the next; trust the next alone. So whoever was
started before a step and whoever was started after it accept one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from opsctl.services.base import Service
from opsctl.targets import authority
from opsctl.targets.authority import CA
from opsctl.targets.files import write

NEXT = "ca-next"
GENERATION = "generation"
STEPS = (
    "trusts the next authority beside the former",
    "is issued anew by the next authority",
    "trusts the next authority alone",
)


class Rotation:
    """The authority in one folder, and how far its rotation is."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it may not be there yet."""
        self._folder = folder

    @property
    def generation(self) -> int:
        """How many steps were taken, of all rotations together."""
        try:
            return int((self._folder / GENERATION).read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0

    @property
    def under_way(self) -> bool:
        """Whether a rotation was begun and not ended."""
        return self.generation % len(STEPS) != 0

    @property
    def expires(self) -> datetime:
        """When the authority that signs ends."""
        return authority.expires(self._folder)

    def advance(self) -> str:
        """Take the next step; return what everything does once that is deployed.

        Killed at any moment, what is there is as before the step or as after it, for
        `authority.ensure` and for the next call.
        """
        done = self.generation
        step = done % len(STEPS)
        (self._trust, self._sign, self._forget)[step]()
        write(self._folder / GENERATION, f"{done + 1}\n")
        return STEPS[step]

    def _trust(self) -> None:
        authority.issue_authority(self._folder, NEXT)
        former, following = self._first(CA), self._first(NEXT)
        write(self._folder / f"{CA}.crt", former + following)

    def _sign(self) -> None:
        if (self._folder / f"{NEXT}.key").exists():  # else it was done, and not counted
            following, former = self._first(NEXT), self._first(CA)
            if former != following:
                write(self._folder / f"{CA}.crt", following + former)
            finish(self._folder)

    def _forget(self) -> None:
        write(self._folder / f"{CA}.crt", self._first(CA))

    def _first(self, name: str) -> str:
        """Return the first certificate of a file: of an authority's, the one that signs."""
        return first(self._folder / f"{name}.crt")


def first(path: Path) -> str:
    """Return the first certificate of a PEM file."""
    head, end, _ = path.read_text(encoding="ascii").partition("-----END CERTIFICATE-----\n")
    return head + end


def finish(folder: Path) -> None:
    """Bring the change of the signing authority to its end, where it was begun.

    It is begun with the next authority's certificate as the first of those that are trusted.
    """
    key, certificate = folder / f"{NEXT}.key", folder / f"{NEXT}.crt"
    if key.exists() and certificate.exists() and first(certificate) == first(folder / f"{CA}.crt"):
        write(folder / f"{CA}.key", key.read_text(encoding="ascii"))
        key.unlink()
        certificate.unlink()


def bearing(services: Iterable[Service], generation: int) -> tuple[Service, ...]:
    """Return services with the generation of the certificates that they are given."""
    return tuple(
        service.model_copy(update={"certificates": generation})
        if any(name.startswith("tls/") for name in service.secrets)
        else service
        for service in services
    )
