"""The methods `debian` and `debian-install`: packages of the machine's own distribution.

Without root a package is downloaded by apt-get, as the machine has it configured, into a
private folder, and unpacked by dpkg-deb; nothing of the system is touched.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from opsctl.toolchain import commands, store
from opsctl.toolchain.obtained import Obtained, Say, Unobtainable, binaries_in
from opsctl.toolchain.registry import Debian, DebianInstall, Program

KEPT = ("usr/bin", "usr/lib", "usr/share")
DROPPED = ("usr/share/doc", "usr/share/man", "usr/share/lintian", "usr/share/bash-completion")


def obtain(program: Program, method: Debian, tree: Path, scratch: Path, say: Say) -> Obtained:
    """Fill the tree from the packages; of a package only what runs is kept."""
    _needed("apt-get", "dpkg-deb", for_packages=method.packages)
    say(f"downloading {' '.join(method.packages)}")
    archives = _download(method.packages, scratch, say)
    version = _version(archives[0])
    if not program.accepts(version, "debian"):
        wanted = method.versions or program.versions
        raise Unobtainable(
            f"this system's package {method.packages[0]} is {version}, needed is {wanted}"
        )
    whole = scratch / "whole"
    for archive in archives:
        say(f"unpacking {archive.name}")
        commands.run(["dpkg-deb", "-x", str(archive), str(whole)])
    for part in DROPPED:
        shutil.rmtree(whole / part, ignore_errors=True)
    for part in KEPT:
        if (whole / part).is_dir():
            shutil.copytree(whole / part, tree / part, symlinks=True)
    store.opened(tree)
    return Obtained(
        version=version,
        source=", ".join(archive.name for archive in archives),
        binaries=binaries_in(program, tree, "usr/bin"),
        note=method.note,
    )


def install(method: DebianInstall, say: Say) -> None:
    """Install packages into the system; raise `Unobtainable` where that takes another account."""
    _needed("apt-get", for_packages=method.packages)
    words = " ".join(method.packages)
    if os.geteuid() != 0:
        raise Unobtainable(
            f"{words} needs the libraries of its dependencies: only root can install it",
            hint=f"sudo apt-get install {words}",
        )
    say(f"apt-get install {words}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "install", "--yes", "--no-install-recommends", *method.packages]
    try:
        try:
            commands.run(argv, env=quiet)
        except commands.CommandFailed:  # the lists of packages may be missing or old
            say("apt-get update")
            commands.run(["apt-get", "update"], env=quiet)
            say(f"apt-get install {words}")
            commands.run(argv, env=quiet)
    except commands.CommandFailed as error:
        raise Unobtainable(
            f"{words}: {error.message}",
            hint=f"apt-get update && apt-get install {words}",
            details=error.details,
        ) from error


def private(folder: Path) -> list[str]:
    """Return the options that let apt-get work in a folder of ours, without root."""
    return [
        *("-o", f"Dir::Cache={folder / 'cache'}"),
        *("-o", "Debug::NoLocking=1"),
        *("-o", "APT::Sandbox::User="),
    ]


def _download(packages: tuple[str, ...], scratch: Path, say: Say) -> list[Path]:
    """Download packages by the system's lists; where they are missing or old, by fresh ones."""
    (scratch / "cache/archives/partial").mkdir(parents=True)
    (scratch / "lists/partial").mkdir(parents=True)
    own = ["-o", f"Dir::State::lists={scratch / 'lists'}"]
    try:
        _get(packages, scratch, [])
    except commands.CommandFailed:
        say("refreshing the lists of packages (private to opsctl)")
        try:
            commands.run(["apt-get", *private(scratch), *own, "update"])
            _get(packages, scratch, own)
        except commands.CommandFailed as error:
            raise Unobtainable(
                f"{' '.join(packages)}: {error.message}",
                hint=f"as root: apt-get update && apt-get install {' '.join(packages)}",
                details=error.details,
            ) from error
    return [next(scratch.glob(f"{package}_*.deb")) for package in packages]


def _get(packages: tuple[str, ...], scratch: Path, lists: list[str]) -> None:
    commands.run(["apt-get", *private(scratch), *lists, "download", *packages], cwd=scratch)


def _version(archive: Path) -> str:
    """Return the version in a package's file name; apt writes an epoch's colon as `%3a`."""
    return archive.name.split("_")[1].replace("%3a", ":").rpartition(":")[2]


def _needed(*tools: str, for_packages: tuple[str, ...]) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            raise Unobtainable(
                f"there is no {tool}: {' '.join(for_packages)} comes from Debian packages here",
                hint="install it by this system's package manager, so that it is on PATH",
            )
