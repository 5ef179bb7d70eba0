"""A disk so small that a test can fill it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.process import Process, folder, wait_for


@dataclass(frozen=True)
class SmallDisk:
    """A disk of its own in a mount namespace; who `enters` it finds it at `path`.

    The namespace lives as long as the process that holds it, so that a server may die in it
    and come back to its data.
    """

    path: Path
    holder: Process

    @property
    def enters(self) -> tuple[str, ...]:
        """What a command is prefixed with to run where the disk is."""
        return ("nsenter", f"--target={self.holder.pid}", "-U", "-m", "--preserve-credentials")

    @property
    def seen(self) -> Path:
        """The disk as seen from outside."""
        return Path(f"/proc/{self.holder.pid}/root{self.path}")

    @property
    def filler(self) -> Path:
        """The file that takes what was left."""
        return self.seen / "filler"

    def fill(self) -> None:
        """Take all the room that is left."""
        with contextlib.suppress(OSError), self.filler.open("wb") as out:
            while True:
                out.write(bytes(4096))
                out.flush()


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Give a disk in memory, made without root by a user namespace; without those it skips."""
    possible = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    if possible.returncode != 0:
        why = possible.stderr.decode(errors="replace").strip()
        pytest.skip(f"no small disk without user namespaces: {why}")
    with folder() as home:
        mount = f"mount -t tmpfs -o size={megabytes}m tmpfs {home} && exec sleep infinity"
        holder = Process(["unshare", "-Urm", "sh", "-c", mount], home.with_suffix(".log"))
        holder.start()
        disk = SmallDisk(home, holder)

        def mounted() -> bool:
            assert holder.alive, holder.log()
            return os.path.ismount(disk.seen)

        try:
            wait_for(mounted, "a disk in memory")
            yield disk
        finally:
            holder.kill()
            home.with_suffix(".log").unlink()
