"""The server that is written to: its files, changed atomically, and its programs, never by a shell.

Everything below takes a `System`, so that a folder can stand in for `/` where files are all that
matters.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

STATE = "/var/lib/opsctl/provision"
"""What this server keeps about its provisioning; only root may look."""
OWN = (Path("/etc/opsctl"), Path("/usr/local/lib/opsctl"))
"""Folders of ours alone; they go with what is in them."""
NO_PROMPTS = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


class Refused(Exception):
    """The server does not take a change; says why and what can be done."""


class Done(NamedTuple):
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Its last words, for a message."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return " / ".join(lines[-3:]) or f"it ended with code {self.code}"


class System:
    """A server, or a folder that is laid out like one."""

    def __init__(self, root: str = "/") -> None:
        """Take `root` for `/`."""
        self.root = Path(root)

    def at(self, path: str) -> Path:
        """Return where a path of the server really lies."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> str | None:
        """Return the text of a file; None where it is not there or cannot be read."""
        try:
            return self.at(path).read_text("utf-8", "surrogateescape")
        except OSError:
            return None

    def glob(self, pattern: str) -> list[str]:
        """Return the paths that match, in order."""
        found = self.root.glob(pattern.lstrip("/"))
        return sorted("/" + str(one.relative_to(self.root)) for one in found)

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        """Replace a file as a whole: after a loss of power it is the old one or the new one.

        Raises `Refused` where the disk is full or read-only.
        """
        target = self.at(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".opsctl.", dir=str(target.parent))
            try:
                with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as made:
                    made.write(content)
                    made.flush()
                    os.fchmod(made.fileno(), mode)
                    os.fsync(made.fileno())
                Path(name).replace(target)
            except OSError:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
            _sync_folder(target.parent)
        except OSError as fault:
            raise Refused(f"{path} cannot be written: {fault.strerror}") from fault

    def poke(self, path: str, value: str) -> None:
        """Hand a value to the kernel through one of its files. Raises `Refused` with its answer."""
        try:
            handle = os.open(str(self.at(path)), os.O_WRONLY | os.O_TRUNC)
            try:
                os.write(handle, f"{value}\n".encode())
            finally:
                os.close(handle)
        except OSError as fault:
            raise Refused(
                f"the kernel does not take {value!r} for {path}: {fault.strerror}"
            ) from fault

    def remove(self, path: str) -> None:
        """Take a file away that may be gone already."""
        with contextlib.suppress(FileNotFoundError):
            self.at(path).unlink()
            _sync_folder(self.at(path).parent)
            self._leave(Path(path).parent)

    def _leave(self, folder: Path) -> None:
        """Take folders of ours away that hold nothing any more."""
        while any(folder == own or own in folder.parents for own in OWN):
            try:
                self.at(str(folder)).rmdir()
            except OSError:  # it holds something still
                return
            folder = folder.parent

    def run(self, *argv: str, given: str = "", limit_s: float = 120.0) -> Done:
        """Run a program to its end; a program that is not there, or hangs, is an answer as well."""
        try:
            ended = subprocess.run(
                argv,
                input=given,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=limit_s,
                check=False,
                env={**os.environ, **NO_PROMPTS},
            )
        except FileNotFoundError:
            return Done(127, "", f"there is no {argv[0]} on this server")
        except subprocess.TimeoutExpired:
            return Done(124, "", f"{argv[0]} did not end within {limit_s:.0f} s")
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def must(self, *argv: str, given: str = "", limit_s: float = 120.0) -> str:
        """Run a program that has to succeed; return what it printed. Raises `Refused`."""
        done = self.run(*argv, given=given, limit_s=limit_s)
        if done.code:
            raise Refused(f"{' '.join(argv[:4])}: {done.said}")
        return done.out

    @property
    def boot_id(self) -> str:
        """Which boot this is."""
        return (self.read("/proc/sys/kernel/random/boot_id") or "").strip()


def _sync_folder(folder: Path) -> None:
    """Have the name of a file that was just written survive a loss of power."""
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parents_missing(system: System, path: str) -> Iterator[str]:
    """Yield the folders above a path that are not there yet, the innermost first."""
    above = Path(path).parent
    while not system.at(str(above)).exists():
        yield str(above)
        above = above.parent
