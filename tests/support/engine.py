"""A real Docker Engine for tests: a dockerd of our own, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

from tests.support.servers import Process, folder, wait_for

ALONE = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
"""Nothing of this machine's network is touched; containers have loopback, or the host's."""


def lacking() -> str:
    """Return why no engine can be started here; empty where one can."""
    if os.geteuid() != 0:
        return "a Docker Engine is started by root only"
    if shutil.which("dockerd") is None:
        return "there is no dockerd; on Debian, as root: apt-get install docker.io"
    return ""


class Dockerd:
    """An engine that can be started, killed and started again on what it had."""

    def __init__(self, home: Path, *options: str) -> None:
        """Prepare it in a folder, whose path must be short: sockets lie under it."""
        self.home, self.socket = home, home / "docker.sock"
        self.address = f"unix://{self.socket}"
        argv = ["dockerd", f"--data-root={home}/data", f"--exec-root={home}/run"]
        argv += [f"--pidfile={home}/docker.pid", f"--host={self.address}", *options]
        self._process = Process([*argv, "--log-level=warn"], home / "dockerd.log")

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.home / "docker.pid").unlink(missing_ok=True)  # of one that was killed
        self._process.start()
        try:
            wait_for(self._answers, "dockerd", timeout_s=60)
        except TimeoutError as error:
            error.add_note((self.home / "dockerd.log").read_text()[-2000:])
            raise

    def kill(self) -> None:
        """End it with SIGKILL; what it runs goes on."""
        self._process.kill()

    def stop(self) -> None:
        """End it, and everything that it runs."""
        popen = self._process.popen
        self._end_revived()
        if popen is not None and popen.poll() is None:
            popen.terminate()
            try:
                popen.wait(30)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()

    def _end_revived(self) -> None:
        """End what a drill has started in the place of what was started here."""
        popen = self._process.popen
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int((self.home / "docker.pid").read_text())
            program = Path(f"/proc/{pid}/comm").read_text().strip()
            if popen is not None and pid != popen.pid and program == "dockerd":
                revived = os.pidfd_open(pid)
                os.kill(pid, signal.SIGTERM)
                select.select([revived], [], [], 30)
                os.close(revived)

    def _answers(self) -> bool:
        popen = self._process.popen
        if popen is not None and popen.poll() is not None:
            said = (self.home / "dockerd.log").read_text()[-2000:]
            raise RuntimeError(f"dockerd ended with {popen.returncode}: {said}")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(self.socket))
            line.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in line.recv(100)
        return False


@contextlib.contextmanager
def running(*options: str) -> Iterator[Dockerd]:
    """Yield a running engine; without options it leaves this machine's network alone."""
    with folder() as home:
        engine = Dockerd(home, *(options or ALONE))
        try:
            engine.start()
            yield engine
        finally:
            if options:
                disconnect(engine)
            engine.stop()
            unmount(home)


def disconnect(engine: Dockerd) -> None:
    """Remove every container and network: an engine that ends leaves its bridges behind."""
    with contextlib.suppress(DockerException, OSError):  # it may be dead
        client = docker.DockerClient(base_url=engine.address)
        for container in client.containers.list(all=True):
            container.remove(force=True)
        client.networks.prune()
        client.close()


def unmount(home: Path) -> None:
    """Unmount what a killed engine left mounted, the innermost first."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{home}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
