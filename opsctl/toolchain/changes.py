"""Changes of the toolchain, each with its line in the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from opsctl import evidence
from opsctl.toolchain import importing, programs
from opsctl.toolchain.programs import Report
from opsctl.toolchain.results import ToolchainArchive, ToolchainInstalled


def install(names: Sequence[str], report: Report, *, again: bool = False) -> ToolchainInstalled:
    """Obtain programs as `programs.obtain` does; leave evidence where one had to be obtained."""
    wanting = programs.wanting(names, again=again)
    if not wanting:
        return ToolchainInstalled(programs=tuple(programs.obtain(names, report)))
    arguments = {"programs": list(wanting), "again": again}
    with evidence.recorded(command="toolchain install", arguments=arguments) as run:
        found = programs.obtain(names, report, again=again)
        run.result = {
            "programs": [
                {"name": p.name, "version": p.version, "method": p.method, "source": p.source}
                for p in found
                if p.name in wanting
            ]
        }
    return ToolchainInstalled(programs=tuple(found))


def load(file: Path, sha256: str | None = None) -> ToolchainArchive:
    """Import the programs of an archive as `importing.load` does, and leave evidence."""
    arguments = {"file": str(file), "sha256": sha256}
    with evidence.recorded(command="toolchain import", arguments=arguments) as run:
        found = importing.load(file, sha256)
        run.result = {
            "sha256": found.sha256,
            "programs": [p.model_dump(mode="json") for p in found.programs],
        }
    return found
