"""Files and folders that are whole or absent, private to their owner."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol


class Owner(Protocol):
    """Whom a file belongs to."""

    @property
    def uid(self) -> int:
        """Return the number of the user."""
        ...

    @property
    def gid(self) -> int:
        """Return the number of the group."""
        ...


def write(path: Path, text: str, *, mode: int = 0o600, owner: Owner | None = None) -> None:
    """Replace a file so that a reader, or a crash, sees the old or the new one.

    The draft gets its mode and its owner before its content, and its name begins with a
    dot, so that no `*.conf` takes it in.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if owner is not None:
            os.fchown(descriptor, owner.uid, owner.gid)
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)


def folder(path: Path, *, mode: int = 0o700, owner: Owner | None = None) -> None:
    """Make a folder with its parents; set its mode and its owner if they differ."""
    path.mkdir(parents=True, exist_ok=True, mode=mode)
    found = path.stat()
    if owner is not None and (found.st_uid, found.st_gid) != (owner.uid, owner.gid):
        os.chown(path, owner.uid, owner.gid)
    if found.st_mode & 0o7777 != mode:
        path.chmod(mode)


def remove(path: Path) -> None:
    """Remove a file, a folder with all in it, or a link (never what it points to)."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)
