"""A wall clock of its own for one container, by libfaketime: laid beside its data while it is off.

The library comes from this machine and goes through the keeper of the place, which alone may
write there; no image has it, and nothing is measured under it otherwise.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.targets import faketime
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.faults.anew import Changed, start_anew
from opsctl.targets.docker.host import DATA
from opsctl.toolchain import programs as toolchain

FOLDER = ".drill"
REMOVE = "import os, shutil, sys\nif os.path.exists(sys.argv[1]):\n    shutil.rmtree(sys.argv[1])\n"


def set_clock(where: Containers, services: Sequence[str], shift_s: float) -> None:
    """Start services anew under a wall clock that is so many seconds off; 0: the true one."""
    found = toolchain.path(faketime.PROGRAM, faketime.BINARY) if shift_s else None
    library = faketime.library(found) if found else None
    for key in services:
        folder = f"{DATA}/{key}/{FOLDER}"
        if library is None:
            start_anew(where, key, None)
            _remove(where, key)
            continue
        _lay(where, key, library)
        shifted = faketime.variables(f"{folder}/{library.name}", shift_s)

        def change(before: Changed, shifted: dict[str, str] = shifted) -> Changed:
            return {"Env": sorted([*before["Env"], *(f"{k}={v}" for k, v in shifted.items())])}

        start_anew(where, key, change)


def _lay(where: Containers, key: str, library: Path) -> None:
    """Put the library beside a service's data, for its account to read."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        folder = tarfile.TarInfo(FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        data = library.resolve().read_bytes()
        member = tarfile.TarInfo(f"{FOLDER}/{library.name}")
        member.size, member.mode = len(data), 0o444
        tar.addfile(member, io.BytesIO(data))
    keeper = naming.keeper(where.environment, key.partition("@")[2])
    with errors(where.engine.address):
        if not where.api.put_archive(keeper, f"{DATA}/{key}", out.getvalue()):
            raise OpsctlError(f"the engine did not take {library.name} into {keeper}")


def _remove(where: Containers, key: str) -> None:
    """Have the keeper remove it, by the Python that it runs."""
    keeper = naming.keeper(where.environment, key.partition("@")[2])
    with errors(where.engine.address):
        command = where.api.inspect_container(keeper)["Config"]["Cmd"]
        python = command[: command.index("-I")]
        words = [*python, "-I", "-S", "-c", REMOVE, f"{DATA}/{key}/{FOLDER}"]
        run = where.api.exec_create(keeper, words)["Id"]
        said = where.api.exec_start(run)
        if where.api.exec_inspect(run)["ExitCode"] != 0:
            raise OpsctlError(f"{keeper} did not remove the library of a clock: {said.decode()}")
