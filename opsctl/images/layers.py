"""A layer: a tree of files as a tar that is the same bytes whoever makes it, and when.

Names are sorted, every time is the same, everything belongs to root and is readable by all;
no file is setuid. The digest of such a tar is the layer's identity (`diff_id`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from fnmatch import fnmatch
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.images.definition import Base
from opsctl.images.digesting import Digesting
from opsctl.model.value import Value

EPOCH_S = 1
"""The time of every file in a layer, seconds since 1970: an image's time is its label's."""

# The hash of a source is in its bytecode and never looked at: no time, no second read.
_COMPILE = """\
import py_compile, sys
for line in sys.stdin:
    path = line.rstrip("\\n")
    try:
        py_compile.compile(path, dfile=path[len(sys.argv[1]):], doraise=True, quiet=2,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, UnicodeError, ValueError):
        pass
"""


class Component(Value):
    """A part of an image that has a version of its own, for its bill of materials."""

    name: str
    version: str
    purl: str
    licenses: tuple[str, ...] = ()


class Layer(Value):
    """A layer as it was made."""

    slot: str
    """What it is, such as `dependencies-app`: a newer one of its slot takes its place."""
    key: str
    """The digest of everything that it is made from."""
    diff_id: str
    bytes: int
    components: tuple[Component, ...] = ()


def write(tree: Path, file: Path) -> tuple[str, int]:
    """Write a tree as a layer; return its `diff_id` and its size in bytes."""
    with file.open("wb") as raw:
        digesting = Digesting(raw)
        with tarfile.open(fileobj=digesting, mode="w|", format=tarfile.GNU_FORMAT) as tar:  # type: ignore[call-overload]
            for path in sorted(tree.rglob("*"), key=lambda p: p.relative_to(tree).as_posix()):
                _add(tar, path, path.relative_to(tree).as_posix())
        raw.flush()
        os.fsync(raw.fileno())
    return f"sha256:{digesting.digest.hexdigest()}", digesting.bytes


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.mtime = EPOCH_S
    member.uname = member.gname = ""
    if path.is_symlink():
        member.type, member.mode = tarfile.SYMTYPE, 0o777
        member.linkname = str(path.readlink())
        tar.addfile(member)
    elif path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
        tar.addfile(member)
    elif path.is_file():
        status = path.stat()
        member.mode = 0o755 if status.st_mode & 0o100 else 0o644
        member.size = status.st_size
        with path.open("rb") as content:
            tar.addfile(member, content)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a path is one of these patterns; `*` crosses slashes."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def prune(tree: Path, patterns: tuple[str, ...]) -> None:
    """Remove from a tree what matches, and the folders that this empties."""
    for path in sorted(tree.rglob("*"), reverse=True):
        name = path.relative_to(tree).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()) and name != "tmp":
                path.rmdir()
        elif matches(name, patterns):
            path.unlink()


def take(source: Path, place: Path) -> None:
    """Put a file into a tree: as a link to the same bytes where that is possible, else copied."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError:
        place.write_bytes(source.read_bytes())
        place.chmod(source.stat().st_mode & 0o777)


def compile_all(tree: Path, base: Base) -> None:
    """Write the bytecode of every module of a tree, by an interpreter of the image's version.

    In a read-only image nothing could write it later, and every start would compile anew.
    One fresh process with a fixed hash seed, in order: the same sources give the same bytes.
    Raises `OpsctlError` where this interpreter is of another version.
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if version != base.python:
        raise OpsctlError(
            f"images need Python {base.python}, this is {version}",
            hint=f"make PYTHON=python{base.python} setup, or carry images over: "
            "opsctl images save FILE there, opsctl images load FILE here",
        )
    sources = sorted(str(path) for path in tree.rglob("*.py") if not path.is_symlink())
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _COMPILE, str(tree)],
        input="".join(f"{source}\n" for source in sources),
        env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OpsctlError("the modules cannot be compiled", details=done.stderr.splitlines()[-12:])
