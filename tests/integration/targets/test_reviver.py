"""Who kills an engine, and becomes it again: with a process that stands in for the engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.errors import OpsctlError
from opsctl.targets.docker.faults import engine, reviver
from tests.support.servers import wait_for

STANDS = """
import os, socket, sys
open("who", "a").write(f"{os.getpid()} {os.getcwd()} {os.environ}\\n")
if os.path.exists("fails"):
    os.unlink("fails")
    sys.exit(1)
if os.path.exists("socket"):
    os.unlink("socket")
server = socket.create_server("socket", family=socket.AF_UNIX)
while True:
    line, _ = server.accept()
    line.recv(100)
    line.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
    line.close()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """Run what is killed and started again: it writes down who it is, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", STANDS, "--pidfile=pid"],
        cwd=tmp_path,
        env={"KEPT": "as it was"},
        start_new_session=True,
    )
    monkeypatch.setattr(engine, "serving", lambda address: process.pid)
    wait_for(lambda: (tmp_path / "socket").exists(), "the first start")
    reaper = threading.Thread(target=process.wait)  # else it stays a zombie, with a number
    reaper.start()
    yield process
    process.kill()
    reaper.join()
    for line in (tmp_path / "who").read_text().splitlines():
        with_pid = int(line.split()[0])
        if with_pid != process.pid and Path(f"/proc/{with_pid}").exists():
            os.kill(with_pid, signal.SIGKILL)


def address(home: Path) -> str:
    return f"unix://{home}/socket"


def revivers() -> list[Path]:
    """Return who still sees to it that something is started."""
    name = str(reviver.__file__).encode()
    return [p for p in Path("/proc").glob("[0-9]*/cmdline") if name in _read(p)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def starts(home: Path) -> int:
    return (home / "who").read_text().count("as it was")


def test_what_is_killed_is_started_as_it_was_when_it_is_let_go(
    stand_in: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "who").write_text("")
    revival = engine.Revival(address(tmp_path))
    assert stand_in.poll() is None
    revival.kill()
    wait_for(lambda: stand_in.returncode == -signal.SIGKILL, "its end")
    assert starts(tmp_path) == 0
    revival.let_go()
    wait_for(lambda: starts(tmp_path) == 1, "the second start")
    said = (tmp_path / "who").read_text()
    assert f" {tmp_path} " in said
    assert "OPSCTL" not in said
    assert Path(f"/proc/{said.split()[0]}/cmdline").read_bytes().endswith(b"--pidfile=pid\0")


def test_one_that_does_not_start_at_once_is_started_again(
    stand_in: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "fails").touch()
    revival = engine.Revival(address(tmp_path))
    revival.kill()
    revival.let_go()
    assert starts(tmp_path) == 3
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(tmp_path / "socket"))


def test_nothing_is_started_where_nothing_was_killed(
    stand_in: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    revival = engine.Revival(address(tmp_path))
    revival.let_go()
    assert stand_in.poll() is None
    assert starts(tmp_path) == 1


def test_it_is_started_again_though_who_killed_it_is_killed(
    stand_in: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "who").write_text("")
    killer = os.fork()
    if killer == 0:
        engine.Revival(address(tmp_path)).kill()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(killer, 0)
    wait_for(lambda: starts(tmp_path) == 1, "the second start")
    wait_for(lambda: not revivers(), "its end: until then it starts what ends again")


def test_only_an_engine_of_this_machine_is_killed(tmp_path: Path) -> None:
    with pytest.raises(OpsctlError, match="on another machine"):
        engine.serving("ssh://ops@elsewhere")
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(path))
        stranger.listen()
        with pytest.raises(OpsctlError, match=f"process {os.getpid()} behind .* is no dockerd"):
            engine.serving(f"unix://{path}")


def test_the_unit_of_an_engine_is_read_of_its_cgroups() -> None:
    assert engine.unit("12:pids:/system.slice/docker.service\n0::/system.slice/docker.service\n")
    assert engine.unit("0::/system.slice/docker.service\n") == "docker.service"
    assert engine.unit("12:pids:/user.slice\n0::/\n") == ""
