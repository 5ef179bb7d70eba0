"""What the commands of the toolchain answer: the JSON results, which are a contract."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from opsctl.model.value import Value


class ProgramState(Value):
    """A program of the registry as it stands on this machine.

    `fallback` runs, but is not the version that is wanted; `note` says so.
    """

    name: str
    wanted: str
    state: Literal["ready", "fallback", "missing"]
    version: str = ""
    method: str = ""
    path: str = ""
    source: str = ""
    note: str = ""
    optional: bool
    methods: tuple[str, ...]
    why: str


class ToolchainState(Value):
    """The whole registry, and the folder that holds what was obtained."""

    folder: Path
    programs: tuple[ProgramState, ...]


class Installed(Value):
    """A program that can be run: which version, how it was obtained, where it lies."""

    name: str
    version: str
    method: str
    folder: Path
    binaries: dict[str, Path]
    source: str = ""
    note: str = ""


class ToolchainInstalled(Value):
    """The programs that were asked for, all of them present now."""

    programs: tuple[Installed, ...]


class ChangedFile(Value):
    """A file that is not what its manifest says."""

    path: str
    finding: Literal["changed", "missing", "added", "no valid manifest"]


class ProgramCheck(Value):
    """One version of a program, held against its manifest."""

    name: str
    version: str
    method: str
    verdict: Literal["passed", "failed"]
    files: int
    findings: tuple[ChangedFile, ...] = ()


class ToolchainCheck(Value):
    """Every version that is in the toolchain folder, held against its manifest."""

    verdict: Literal["passed", "failed"]
    programs: tuple[ProgramCheck, ...]


class Packed(Value):
    """A program in an archive."""

    name: str
    version: str


class LeftOut(Value):
    """A program that is not in an archive, and why."""

    name: str
    reason: str


class ToolchainArchive(Value):
    """An archive of the toolchain; compare `sha256` on the machine that imports it."""

    file: Path
    sha256: str
    bytes: int
    programs: tuple[Packed, ...]
    left_out: tuple[LeftOut, ...] = ()
