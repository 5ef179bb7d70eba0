"""The method `path`: a program that the machine has, in a fitting version.

`OPSCTL_<PROGRAM>_BIN` names a folder of executables that goes before everything else:
Debian keeps PostgreSQL's off PATH, under `/usr/lib/postgresql/18/bin`.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from opsctl.errors import ToolMissing
from opsctl.model.value import Value
from opsctl.toolchain import store
from opsctl.toolchain.registry import Program
from opsctl.toolchain.versions import printed

ASK_TIMEOUT_S = 20


class Found(Value):
    """A program of the machine: its version, and the absolute path of each binary."""

    version: str
    binaries: dict[str, str]
    folder: str


def setting(program: Program) -> str:
    """Return the name of the environment variable that names the folder of executables."""
    return f"OPSCTL_{program.name.upper().replace('-', '_')}_BIN"


def set_by_user(program: Program) -> Found | None:
    """Return the program in the folder that the user's setting names; None without one.

    Raises `ToolMissing` where the setting names a folder that does not serve.
    """
    named = os.environ.get(setting(program))
    if not named:
        return None
    found = look(program, named)
    if found is None:
        raise ToolMissing(
            f"{setting(program)}={named} does not hold {program.name} {program.versions}",
            hint=f"name a folder that holds {', '.join(program.needed)} "
            f"in such a version, or unset {setting(program)}",
        )
    return found


def look(program: Program, search: str | None = None) -> Found | None:
    """Return the program as PATH (or `search`) has it, where its version fits.

    As root a program counts only where an unprivileged account can run it as well.
    """
    search = machine_path() if search is None else search
    paths: dict[str, str] = {}
    for binary in program.binaries:
        path = next((p for n in binary.names if (p := shutil.which(n, path=search))), None)
        if path is None and not binary.needed:
            continue
        if path is None or (os.geteuid() == 0 and not store.reachable_by_all(Path(path))):
            return None
        paths[binary.name] = str(Path(path).absolute())
    asked = paths[program.asked.argv[0]]
    version = ask(program, asked, Path(asked).stat().st_mtime_ns)
    if version is None or version not in program.versions:
        return None
    return Found(version=version, binaries=paths, folder=str(Path(asked).parent))


def machine_path() -> str:
    """Return PATH without the scripts of this interpreter's environment.

    They are on PATH only while that environment is activated; the method `wheel` takes
    such a program out of it for good.
    """
    own = sysconfig.get_path("scripts")
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder != own)


@functools.lru_cache(maxsize=64)
def ask(program: Program, path: str, _mtime_ns: int) -> str | None:
    """Return the version that the program at `path` prints, or None where it prints none."""
    try:
        answer = subprocess.run(
            [path, *program.asked.argv[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ASK_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return printed(answer.stdout + answer.stderr, program.asked.pattern)
