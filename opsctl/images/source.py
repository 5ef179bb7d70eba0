"""The source that images are made from: its files, its commit, its lock file."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from opsctl.errors import ToolMissing
from opsctl.model.value import Value

_PACKAGE = Path(__file__).resolve().parents[1]

SHARED = ("images/base.yaml", "images/probe.py", "opsctl/images")
"""What every image is made from, beside what is its own."""


class Commit(Value):
    """The last commit that changed what an image is made from; empty outside of git."""

    revision: str = ""
    at: datetime
    dirty: bool = False
    """Whether files differ from that commit."""
    head: str = ""
    """The commit that is checked out."""
    release: str = ""
    """The version of opsctl, which is the tag where there is no commit."""

    @property
    def tag(self) -> str:
        """Return the tag of an image: 12 digits of the checked-out commit, `-dirty` when so."""
        return f"{self.head[:12]}{'-dirty' if self.dirty else ''}" if self.head else self.release

    @property
    def label(self) -> str:
        """Return the revision as its label says it."""
        return f"{self.revision}{'-dirty' if self.dirty else ''}"


@dataclass(frozen=True)
class Source:
    """A checkout, or an installed wheel, which has no history."""

    root: Path
    """Holds the package `apps`."""
    locks: Path
    """Holds pyproject.toml and uv.lock."""

    @cached_property
    def project(self) -> dict[str, Any]:
        """The `[project]` table and all else of pyproject.toml."""
        return tomllib.loads((self.locks / "pyproject.toml").read_text("utf-8"))

    @cached_property
    def locked(self) -> dict[str, dict[str, Any]]:
        """The packages of uv.lock by name; of several versions the first that is listed."""
        found: dict[str, dict[str, Any]] = {}
        for package in tomllib.loads((self.locks / "uv.lock").read_text("utf-8"))["package"]:
            found.setdefault(package["name"], package)
        return found

    @property
    def version(self) -> str:
        """The version of opsctl and its apps."""
        return str(self.project["project"]["version"])

    @cached_property
    def in_git(self) -> bool:
        """Whether this is a checkout."""
        return bool(shutil.which("git")) and self._git("rev-parse", "--show-toplevel") == str(
            self.root
        )

    def commit(self, paths: tuple[str, ...]) -> Commit:
        """Return the last commit that changed one of these paths, or what is shared."""
        every = (*paths, *SHARED)
        said = self._git("log", "-1", "--format=%H %ct", "--", *every) if self.in_git else ""
        if not said:
            return Commit(at=datetime.fromtimestamp(0, UTC), release=self.version)
        revision, _, seconds = said.partition(" ")
        return Commit(
            revision=revision,
            at=datetime.fromtimestamp(int(seconds), UTC),
            dirty=bool(self._git("status", "--porcelain", "--", *every)),
            head=self._git("rev-parse", "HEAD"),
            release=self.version,
        )

    def files(self, paths: tuple[str, ...]) -> tuple[Path, ...]:
        """Return the files under these paths that git knows; outside of git all of them."""
        if self.in_git:
            named = self._git("ls-files", "-z", "--", *paths).split("\0")
            found = [self.root / name for name in named if name]
        else:
            found = [
                file
                for path in paths
                for file in (
                    [self.root / path]
                    if (self.root / path).is_file()
                    else (self.root / path).rglob("*")
                )
                if "__pycache__" not in file.parts
            ]
        return tuple(sorted(file for file in found if file.is_file()))

    def unknown(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Return the files under these paths that git does not know and does not ignore."""
        if not self.in_git:
            return ()
        said = self._git("ls-files", "--others", "--exclude-standard", "-z", "--", *paths)
        return tuple(name for name in said.split("\0") if name)

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.root), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else ""


def source() -> Source:
    """Return the source of this opsctl."""
    shipped = _PACKAGE / "_shipped"
    locks = shipped if (shipped / "uv.lock").is_file() else _PACKAGE.parent
    return Source(root=_PACKAGE.parent, locks=locks)


def uv(found: Source) -> str:
    """Return the program uv, which reads the lock file; raise `ToolMissing` without one."""
    import os

    own = found.root / ".cache" / "uv" / "bin" / "uv"
    program = os.environ.get("UV") or (str(own) if own.exists() else shutil.which("uv"))
    if not program:
        raise ToolMissing(
            "uv is not here: the dependencies of an image come from uv.lock",
            hint="make setup fetches it; or pip install uv",
        )
    return program


def normal(name: str) -> str:
    """Return the name of a distribution as indexes and lock files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()
