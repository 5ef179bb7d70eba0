"""The toolchain folder: `NAME/VERSION/` with a manifest, made whole or not at all.

A program is unpacked or built in `.staging/` and renamed into place, under a file lock
of its own, so that a kill at any instant leaves nothing half-done and two processes
never work on one program.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError, field_validator

from opsctl.model.value import Value
from opsctl.state import state_root, toolchain_folder

MANIFEST = "manifest.json"
STAGING, LOCKS = ".staging", ".locks"


class Manifest(Value):
    """What was obtained: version, method, when, and the SHA-256 of every file.

    Paths are relative to the folder of the manifest; those of a program of the machine
    (method `path`) are absolute.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+~_-]*$")]
    method: str
    source: str
    note: str = ""
    obtained_at: AwareDatetime
    binaries: dict[str, str]
    files: dict[str, str]

    @field_validator("binaries", "files")
    @classmethod
    def _inside(cls, paths: dict[str, str]) -> dict[str, str]:
        for text in (*paths, *paths.values()):
            if ".." in PurePosixPath(text).parts:
                raise ValueError(f"{text!r} leads out of the folder")
        return paths


def read(folder: Path) -> Manifest | None:
    """Return the manifest of a program's folder, or None where there is no valid one."""
    path = folder / MANIFEST
    try:
        seen = path.stat()
    except OSError:
        return None
    return _parsed(path, seen.st_mtime_ns, seen.st_ino)


@functools.lru_cache(maxsize=128)
def _parsed(path: Path, _mtime_ns: int, _inode: int) -> Manifest | None:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def versions(name: str) -> Iterator[tuple[Path, Manifest]]:
    """Yield the folder and the manifest of every version of a program that is here."""
    try:
        folders = sorted((toolchain_folder() / name).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for folder in folders:
        manifest = read(folder)
        if manifest is not None and manifest.name == name:
            yield folder, manifest


@contextlib.contextmanager
def lock(name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of one program; call `waiting` first where another process has it.

    The kernel releases it when its holder dies, and what a dead holder staged is removed.
    """
    folder = _made(toolchain_folder() / LOCKS)
    with (folder / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        for stale in _staged(name):
            shutil.rmtree(stale, ignore_errors=True)
        yield


def tidy(name: str) -> None:
    """Remove what a process staged that was killed as it had put the program into its place.

    Waits for nobody: where another process is at it, what is staged is its own.
    """
    if not _staged(name):
        return
    lock_file = toolchain_folder() / LOCKS / f"{name}.lock"
    with lock_file.open("w") as handle, contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for stale in _staged(name):
            shutil.rmtree(stale, ignore_errors=True)


def _staged(name: str) -> list[Path]:
    return list((toolchain_folder() / STAGING).glob(f"{name}.*"))


@contextlib.contextmanager
def staging(name: str) -> Iterator[Path]:
    """Yield an empty folder beside the programs, removed afterwards; needs the lock."""
    parent = _made(toolchain_folder() / STAGING)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commit(tree: Path, manifest: Manifest) -> Path:
    """Write the manifest into a staged tree, rename it into place, and return the place.

    What stood there is replaced. Needs the lock of the program.
    """
    path = tree / MANIFEST
    with path.open("w", encoding="utf-8") as out:
        out.write(manifest.model_dump_json(indent=1) + "\n")
        out.flush()
        os.fsync(out.fileno())
    path.chmod(0o644)
    tree.chmod(0o755)
    home = _made(toolchain_folder() / manifest.name)
    place = home / manifest.version
    with staging(manifest.name) as aside:
        if place.exists():
            place.rename(aside / "former")
        tree.rename(place)
    return place


def manifest_of(
    tree: Path,
    *,
    name: str,
    version: str,
    method: str,
    source: str,
    binaries: dict[str, str],
    note: str = "",
) -> Manifest:
    """Return the manifest of a staged tree: every file hashed, readable by every account."""
    return Manifest(
        name=name,
        version=version,
        method=method,
        source=source,
        note=note,
        obtained_at=datetime.now(UTC),
        binaries=binaries,
        files={str(p.relative_to(tree)): sha256(p) for p in regular_files(tree)},
    )


def opened(tree: Path) -> None:
    """Let every account read a staged tree and run its executables; links are removed.

    A file that another place shares (a hard link) is left alone where it is open already.
    """
    for path in sorted(tree.rglob("*")):
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            path.chmod(0o755)
        else:
            mode = path.stat().st_mode
            wanted = 0o755 if mode & 0o100 else 0o644
            if mode & wanted != wanted or mode & 0o7022:
                path.chmod(wanted)


def regular_files(tree: Path) -> list[Path]:
    """Return the files under a folder, in order."""
    return sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def reachable_by_all(path: Path) -> bool:
    """Return whether an unprivileged account can run the program at `path`."""
    real = path.resolve()
    try:
        traversed = all(folder.stat().st_mode & 0o001 for folder in real.parents)
        return traversed and real.stat().st_mode & 0o005 == 0o005
    except OSError:
        return False


def _made(folder: Path) -> Path:
    """Make a folder under the toolchain that every account may traverse, whatever the umask.

    As root, folders of opsctl on the way that are closed are opened for traversal too:
    servers that refuse root run under another account.
    """
    fresh = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in fresh:
        path.chmod(0o755)
    if os.geteuid() == 0:
        top, root = toolchain_folder(), state_root()
        for path in (top, root) if top.is_relative_to(root) else (top,):
            mode = path.stat().st_mode & 0o7777
            if mode & 0o011 != 0o011:
                path.chmod(mode | 0o011)
    return folder
