"""What a method hands over: a tree filled with a program, and what is in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.model.value import Value
from opsctl.toolchain.registry import Program

Say = Callable[[str], None]
"""Takes one line of progress of one program."""


class Unobtainable(OpsctlError):
    """A method cannot give the program here: why, and in `hint` the command that would cure it."""


class Obtained(Value):
    """A program in a staged tree; `binaries` are paths relative to the tree."""

    version: str
    source: str
    binaries: dict[str, str]
    note: str = ""


def binaries_in(program: Program, tree: Path, folder: str) -> dict[str, str]:
    """Return the executables of a folder of the tree by name.

    One is also listed under our name for it where it is shipped under another.
    """
    here = {
        p.name: str(p.relative_to(tree))
        for p in sorted((tree / folder).glob("*"))
        if p.is_file() and p.stat().st_mode & 0o100
    }
    for binary in program.binaries:
        shipped = next((here[name] for name in binary.names if name in here), None)
        if shipped is not None:
            here[binary.name] = shipped
    return here
