"""The record of a long series: which seeds were run, by which code, and what came of them.

A file of JSON lines: a heading, then a line for each chunk of seeds. Runs of different code
prove nothing together, so that a record goes on under the code that began it, or not at all.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path

import msgspec

from opsctl.errors import UsageError

ROOT = Path(__file__).parents[3]
SIMULATED = ("apps/core", "apps/execution", "opsctl/drills/simulator")
"""The folders of code that a run depends on."""


class Heading(msgspec.Struct, frozen=True, kw_only=True, tag="simulation"):
    """Which code the lines below were made by."""

    code: str
    release: str


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag="seeds"):
    """A chunk of seeds that was run."""

    first: int
    runs: int
    seconds: float
    """What a worker took for it."""
    takeovers: int
    accepted: int
    failed: tuple[int, ...] = ()


@functools.cache
def code(root: Path = ROOT) -> str:
    """Return a digest of the simulated code and of the simulator, by their files."""
    told = hashlib.sha256()
    for folder in SIMULATED:
        for file in sorted((root / folder).glob("*.py")):
            told.update(f"{folder}/{file.name}\0".encode())
            told.update(hashlib.sha256(file.read_bytes()).digest())
    return told.hexdigest()[:16]


def heading() -> Heading:
    """Return the heading of a record that this code begins."""
    return Heading(code=code(), release=metadata.version("opsctl"))


class Record:
    """A record in a file, which is made where there is none; None keeps nothing."""

    def __init__(self, file: Path | None) -> None:
        """Read what was run already.

        Raises `UsageError` where the file is no record, or one that other code has made.
        """
        self.file = file
        self.known: dict[tuple[int, int], Counted] = {}
        """By the first seed, and how many."""
        if file is None:
            return
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]  # one may be torn: run again
        if not whole:
            file.write_bytes(msgspec.json.encode(heading()) + b"\n")
            return
        found = [_read(line, file) for line in whole]
        if not isinstance(found[0], Heading):
            raise UsageError(f"{file} does not say which code made it", hint="name another file")
        if found[0].code != code():
            raise UsageError(
                f"{file} was made by other code ({found[0].code}, this is {code()})",
                hint="name another file: runs of different code prove nothing together",
            )
        for line in found:
            if isinstance(line, Counted):
                self.known[line.first, line.runs] = line
        if len(whole) < len(lines):
            file.write_bytes(b"".join(whole))

    def add(self, counted: Counted) -> None:
        """Write down that a chunk was run."""
        self.known[counted.first, counted.runs] = counted
        if self.file is not None:
            with self.file.open("ab") as out:
                out.write(msgspec.json.encode(counted) + b"\n")


def _read(line: bytes, file: Path) -> Heading | Counted:
    try:
        return msgspec.json.decode(line, type=Heading | Counted)
    except msgspec.DecodeError as fault:
        raise UsageError(f"{file} is no record of a simulation: {fault}") from fault
