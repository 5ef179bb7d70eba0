"""The secrets of an environment: generated once, one file each, mode 600."""

from __future__ import annotations

import re
import secrets as random
import threading
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.targets import authority, rotation
from opsctl.targets.files import folder, write

TLS = "tls"
"""The folder of certificates and their keys."""
SUPERVISOR = "supervisord"
"""The password of supervisord's own socket."""

REFERENCE = re.compile(r"\{\{(secret|bcrypt):([a-z0-9][a-z0-9/._-]*)\}\}")

BCRYPT_ROUNDS = 6
"""A secret of 192 random bits cannot be guessed; more rounds would only cost every request."""


class Secrets:
    """The secrets folder of one environment."""

    def __init__(self, root: Path) -> None:
        """Name the folder."""
        self._root = root
        self._hashing = threading.Lock()

    def path(self, name: str) -> Path:
        """Return the file of a secret."""
        return self._root / name

    def read(self, name: str) -> str:
        """Return a secret."""
        try:
            return self.path(name).read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise OpsctlError(
                f"the secret {name} cannot be read: {fault.strerror}",
                hint="deploy the environment, as the user that owns it",
            ) from fault

    @property
    def none(self) -> bool:
        """Whether there is none yet."""
        return not self._root.is_dir() or not any(self._root.iterdir())

    def missing(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the named secrets that are not there."""
        return tuple(sorted({name for name in names if not self.path(name).is_file()}))

    def ensure(self, names: Iterable[str], *, addresses: Iterable[IPv4Address] = ()) -> None:
        """Make the named secrets that are missing; keep the others.

        Certificates name these addresses beside this machine's own.
        """
        wanted = set(names)
        folder(self._root)
        issued = {name for name in wanted if name.startswith("tls/")}
        if issued:
            folder(self._root / TLS)
            rotation.finish(self._root / TLS)
            authority.ensure(
                self._root / TLS, {Path(name).stem for name in issued}, tuple(addresses)
            )
        for name in self.missing(wanted - issued):
            write(self.path(name), _generate(name))

    @property
    def rotation(self) -> rotation.Rotation:
        """Return the authority of the certificates, to be changed for another."""
        return rotation.Rotation(self._root / TLS)

    def fill_in(self, text: str) -> str:
        """Return a text with its `{{secret:NAME}}` and `{{bcrypt:NAME}}` filled in."""
        fill: dict[str, Callable[[str], str]] = {"secret": self.read, "bcrypt": self._hash}
        return REFERENCE.sub(lambda found: fill[found[1]](found[2]), text)

    def hidden(self, text: str, names: Iterable[str]) -> str:
        """Return a text in which none of the named secrets is readable."""
        for name in names:
            if not name.startswith("tls/"):
                text = text.replace(self.read(name), "***")
        return text

    def _hash(self, name: str) -> str:
        """Return the bcrypt hash of a secret, kept beside it: another salt is another file.

        One at a time: services of two sites that share a secret are prepared at once.
        """
        with self._hashing:
            return self._hash_kept(name)

    def _hash_kept(self, name: str) -> str:
        import bcrypt

        secret, kept = self.read(name).encode(), self.path(f"{name}.bcrypt")
        if kept.is_file():
            found = kept.read_text(encoding="ascii").strip()
            if bcrypt.checkpw(secret, found.encode()):
                return found
        made = bcrypt.hashpw(secret, bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
        write(kept, made + "\n")
        return made


def _generate(name: str) -> str:
    # Hexadecimal: no configuration syntax gives one of its characters a meaning.
    return "OPS" + random.token_hex(9).upper() if name == "s3-access" else random.token_hex(24)
