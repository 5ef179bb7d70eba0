"""What is in the toolchain: the state of every program, and whether its files are intact."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from opsctl.state import toolchain_folder
from opsctl.toolchain import programs, store
from opsctl.toolchain.registry import PROGRAMS, Program
from opsctl.toolchain.results import (
    ChangedFile,
    ProgramCheck,
    ProgramState,
    ToolchainCheck,
    ToolchainState,
)


def state() -> ToolchainState:
    """Return every program of the registry as it stands on this machine."""
    return ToolchainState(
        folder=toolchain_folder(), programs=tuple(_state(program) for program in PROGRAMS)
    )


def check(names: Iterable[str] = ()) -> ToolchainCheck:
    """Hold what was obtained (all of it where no program is named) against its manifests."""
    wanted = tuple(names) or tuple(program.name for program in PROGRAMS)
    checked = tuple(_checked(name, folder) for name in wanted for folder in _folders(name))
    failed = any(program.verdict == "failed" for program in checked)
    return ToolchainCheck(verdict="failed" if failed else "passed", programs=checked)


def findings(folder: Path, manifest: store.Manifest) -> tuple[ChangedFile, ...]:
    """Return the files of a program that are not what its manifest says."""
    changed: list[ChangedFile] = []
    for place, digest in manifest.files.items():
        path = folder / place
        if not path.is_file() or (path.is_symlink() and manifest.method != "path"):
            changed.append(ChangedFile(path=place, finding="missing"))
        elif store.sha256(path) != digest:
            changed.append(ChangedFile(path=place, finding="changed"))
    known = {*manifest.files, store.MANIFEST}
    changed.extend(
        ChangedFile(path=place, finding="added")
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() and (place := str(path.relative_to(folder))) not in known
    )
    return tuple(changed)


def _folders(name: str) -> list[Path]:
    home = toolchain_folder() / name
    return sorted(home.iterdir()) if home.is_dir() else []


def _checked(name: str, folder: Path) -> ProgramCheck:
    manifest = store.read(folder)
    if manifest is None:
        broken = ChangedFile(path=store.MANIFEST, finding="no valid manifest")
        return ProgramCheck(
            name=name,
            version=folder.name,
            method="",
            verdict="failed",
            files=0,
            findings=(broken,),
        )
    found = findings(folder, manifest)
    return ProgramCheck(
        name=name,
        version=manifest.version,
        method=manifest.method,
        verdict="failed" if found else "passed",
        files=len(manifest.files),
        findings=found,
    )


def _state(program: Program) -> ProgramState:
    here = programs.locate(program.name)
    known = ProgramState(
        name=program.name,
        wanted=str(program.versions),
        state="missing",
        optional=program.optional,
        methods=tuple(method.kind for method in program.methods),
        why=program.why,
    )
    if here is None:
        return known
    return known.model_copy(
        update={
            "state": "ready" if here.version in program.versions else "fallback",
            "version": here.version,
            "method": here.method,
            "path": str(here.binaries[program.asked.argv[0]]),
            "source": here.source,
            "note": here.note,
        }
    )
