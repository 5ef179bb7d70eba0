"""The engine itself: found behind its socket, killed, and started again as it was."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import Engine, connect, errors
from opsctl.targets.beneath import Ending
from opsctl.targets.docker import naming
from opsctl.targets.docker.faults import reviver

PROGRAM = "dockerd"
UNIX = "unix://"
BACK_WITHIN_S = 60.0
AGAIN_S = 0.1
LIMITS = (
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_NPROC,
    resource.RLIMIT_CORE,
    resource.RLIMIT_MEMLOCK,
)


def serving(address: str) -> int:
    """Return the process that answers at an engine's socket.

    Raises `OpsctlError` where it is on another machine, or is not an engine's own.
    """
    if not address.startswith(UNIX):
        raise OpsctlError(
            f"the engine {address} is on another machine: only one of this machine is killed",
            hint=f"run opsctl there, with DOCKER_HOST={UNIX}/var/run/docker.sock",
        )
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(address.removeprefix(UNIX))
        raw = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", raw)[0]
    if pid > 1 and _is_engine(pid):
        return pid
    # What opened the socket for it was something else: systemd, say.
    named = Path("/run/docker.pid")
    if named.exists() and _is_engine(int(named.read_text("ascii"))):
        return int(named.read_text("ascii"))
    raise OpsctlError(f"process {pid} behind {address} is no {PROGRAM} of this machine")


def _is_engine(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text("ascii").strip() == PROGRAM
    except OSError:
        return False


def lacking(engine: Engine, environment: str, containers: Ending) -> str:
    """Return why an engine is not killed; empty where it may be."""
    if os.geteuid() != 0:
        return "an engine is killed, and started again, by root only"
    try:
        pid = serving(engine.address)
    except OpsctlError as refused:
        return refused.message
    except OSError as fault:
        return f"the engine does not answer: {fault}"
    for space in ("net", "mnt", "pid"):
        if Path(f"/proc/{pid}/ns/{space}").readlink() != Path(f"/proc/self/ns/{space}").readlink():
            return (
                f"opsctl is not in the engine's {space} namespace, and could not start it as it was"
            )
    with errors(engine.address):
        live = bool(engine.client.info()["LiveRestoreEnabled"])
        running = engine.client.api.containers()
    if live is not (containers == "live"):
        has = "live-restore: its containers live on" if live else "no live-restore: containers end"
        other = "engine-loss" if live else "engine-restart"
        return f"the engine has {has} (dockerd --live-restore; the other drill is {other})"
    if containers == "end":
        others = [o for o in running if o["Labels"].get(naming.ENVIRONMENT) != environment]
        if others:
            return f"{len(others)} containers of others would end with it"
    return ""


class Revival:
    """Somebody who kills the engine, and becomes the engine when opsctl lets go or is dead."""

    def __init__(self, address: str) -> None:
        """Have one ready; nothing is killed."""
        self._address = address
        orders = json.dumps(_orders(serving(address)) | {"socket": address.removeprefix(UNIX)})
        orders_in, self._orders = os.pipe()
        self._answers, answers_out = os.pipe()
        subprocess.run(  # it leaves a child of its own, which is not ours to wait for
            [sys.executable, "-I", "-S", reviver.__file__],
            stdin=orders_in,
            stdout=answers_out,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        os.close(orders_in)
        os.close(answers_out)
        self._tell(orders, "ready")

    def kill(self) -> None:
        """Kill the engine; returns when it is dead."""
        self._tell("kill", "dead")

    def let_go(self) -> None:
        """Have it started again; returns when it answers, or has not come to after all."""
        os.close(self._orders)
        while os.read(self._answers, 100):
            pass
        os.close(self._answers)

    def _tell(self, line: str, wanted: str) -> None:
        os.write(self._orders, f"{line}\n".encode())
        said = os.read(self._answers, 100).decode().strip()
        if said != wanted:
            raise OpsctlError(f"the engine at {self._address} was not killed: {said or 'no word'}")


def await_back(address: str) -> None:
    """Wait until the engine answers; raises `OpsctlError` where it does not in time."""
    until = time.monotonic() + BACK_WITHIN_S
    while True:
        try:
            connect(address).client.close()
        except OpsctlError as fault:
            if time.monotonic() > until:
                raise OpsctlError(
                    f"the engine at {address} does not come back: {fault.message}",
                    hint=f"start it (systemctl start docker, or {PROGRAM}); its log says why",
                ) from fault
        else:
            return
        time.sleep(AGAIN_S)  # a socket that is not there yet tells nobody when it will be


def _orders(pid: int) -> dict[str, Any]:
    """Return whom to kill, and how it is started again: as a unit, or as it was started."""
    proc = Path(f"/proc/{pid}")
    environment = dict(
        pair.split("=", 1)
        for pair in (proc / "environ").read_bytes().decode().split("\0")
        if "=" in pair
    )
    command = argv = (proc / "cmdline").read_bytes().decode().split("\0")[:-1]
    program = str((proc / "exe").readlink())
    if of := unit((proc / "cgroup").read_text("ascii")):
        program, argv = "/bin/systemctl", ["systemctl", "start", of]
    umask = re.search(r"^Umask:\s+(\d+)", (proc / "status").read_text("ascii"), re.MULTILINE)
    return {
        "pid": pid,
        "pidfiles": [*_pidfiles(command), "/run/docker.pid"],
        "program": program,
        "argv": argv,
        "environment": environment,
        "cwd": str((proc / "cwd").readlink()),
        "umask": int(umask[1], 8) if umask else 0o022,
        "nice": os.getpriority(os.PRIO_PROCESS, pid),
        "limits": [(number, resource.prlimit(pid, number)) for number in LIMITS],
        **{
            name: str((proc / "fd" / str(descriptor)).readlink())
            for name, descriptor in (("stdout", 1), ("stderr", 2))
        },
    }


def _pidfiles(command: Sequence[str]) -> list[str]:
    """Return what an engine's command says of where it writes down its number."""
    pairs = zip(command, [*command[1:], ""], strict=True)
    named = [after for word, after in pairs if word in ("-p", "--pidfile")]
    return [w.partition("=")[2] for w in command if w.startswith("--pidfile=")] + named


def unit(cgroup: str) -> str:
    """Return the unit of systemd that a process belongs to, by its cgroups; empty for none."""
    found = re.search(r"/([\w@.-]+\.service)$", cgroup, re.MULTILINE)
    return found[1] if found else ""
