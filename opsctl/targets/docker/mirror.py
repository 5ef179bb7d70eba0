"""Files of services on other machines, kept up to date here while this process runs."""

from __future__ import annotations

import atexit
import shutil
import struct
import tempfile
import threading
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.targets.docker import naming
from opsctl.targets.docker.command import Command
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.host import PYTHON

HEAD = struct.Struct(">BI")
DATA, ASIDE, LEVEL = range(3)
"""Bytes that were appended; the file was put aside; all that there was is sent."""
LEVEL_WITHIN_S = 30.0
FOLLOW = """
import os, struct, sys, threading, time
path, head = sys.argv[1], struct.Struct(">BI")
out = sys.stdout.buffer
def say(kind, what=b""):
    out.write(head.pack(kind, len(what)) + what)
    out.flush()
asked = threading.Event()
def listen():
    while os.read(0, 1):
        asked.set()
    os._exit(0)
threading.Thread(target=listen, daemon=True).start()
file = None
while True:
    wanted = asked.is_set()
    asked.clear()
    if file is None:
        try:
            file = open(path, "rb")
        except FileNotFoundError:
            pass
    while file is not None and (what := file.read(1 << 16)):
        say(0, what)
    try:
        if file is not None and os.stat(path).st_ino != os.fstat(file.fileno()).st_ino:
            for what in iter(lambda: file.read(1 << 16), b""):
                say(0, what)
            file = None
            say(1)
            asked.set() if wanted else None
            continue
    except FileNotFoundError:
        pass
    if wanted:
        say(2)
    asked.wait(0.02)
"""


class Mirrors:
    """The files that were asked for."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._found: dict[tuple[str, str], Mirror] = {}
        self._making = threading.Lock()

    def of(self, where: Containers, service: str, path: str) -> Path:
        """Return a copy of a service's file that has all that the file has now, and grows with it.

        Raises `OpsctlError` where its host does not hand it out.
        """
        with self._making:
            mirror = self._found.get((service, path))
            if mirror is None or mirror.over:
                mirror = self._found[service, path] = Mirror(where, service, path)
        mirror.level()
        return mirror.path


class Mirror:
    """A copy of one file, read by the keeper of its place."""

    def __init__(self, where: Containers, service: str, path: str) -> None:
        """Begin to follow it."""
        self._folder = Path(tempfile.mkdtemp(prefix="opsctl-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self.path, self.over = self._folder / Path(path).name, False
        self._what = f"{path} of {service}"
        self._level = threading.Semaphore(0)
        keeper = naming.keeper(where.environment, service.partition("@")[2])
        self._command = Command(where.engine, keeper, (*PYTHON, "-I", "-S", "-c", FOLLOW, path))
        threading.Thread(target=self._follow, name="mirror", daemon=True).start()

    def level(self) -> None:
        """Return once the copy has what the file has now."""
        try:
            self._command.send(b"?")
        except OSError:
            self.over = True
        if self.over or not self._level.acquire(timeout=LEVEL_WITHIN_S):
            raise OpsctlError(
                f"{self._what} cannot be read", hint="see that its host answers: opsctl status"
            )

    def _follow(self) -> None:
        held = b""
        for part in self._command.output():
            held += part
            while len(held) >= HEAD.size:
                kind, size = HEAD.unpack_from(held)
                if len(held) < HEAD.size + size:
                    break
                what, held = held[HEAD.size : HEAD.size + size], held[HEAD.size + size :]
                self._heard(kind, what)
        self.over = True
        self._level.release()

    def _heard(self, kind: int, what: bytes) -> None:
        if kind == DATA:
            with self.path.open("ab") as file:
                file.write(what)
        elif kind == ASIDE:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        else:
            self._level.release()
