"""Files that are whole or absent: what a killed opsctl left can always be read."""

from __future__ import annotations

import os
from pathlib import Path

from opsctl.errors import OpsctlError


def write_whole(path: Path, text: str) -> None:
    """Replace a file's content so that a reader, or a crash, sees the old or the new one.

    The folder is made where it is missing; the file is readable by its owner alone. One
    writer at a time: the environment's lock sees to that, so the draft has one name and a
    killed writer leaves at most one.

    Raises:
        OpsctlError: the disk is full, or the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as fault:
        raise OpsctlError(
            f"{path} cannot be written: {fault.strerror}",
            hint="free some space, or act as the user that owns the folder; then run it again",
        ) from fault


def remove(path: Path) -> None:
    """Remove a file for good; one that is not there is no fault."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
