from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.targets.local import processes
from opsctl.targets.local.processes import Process, process


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        processes.MARK: f"test-{tmp_path.name}-{os.getpid()}",
        processes.SERVICE_MARK: "data@a",
    }
    child = subprocess.Popen(["sleep", "60"], env=environment, cwd=tmp_path)
    yield child
    child.kill()
    child.wait()


def mark(pid: int) -> str:
    return processes.environment_of(pid)[processes.MARK]


def test_a_process_is_known_again_by_its_mark(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    identity = f"test-{tmp_path.name}-{os.getpid()}"
    found = processes.of_environment(identity, tmp_path, ())
    assert [p.pid for p in found] == [sleeper.pid]
    assert processes.of_environment(identity, tmp_path, (), service="data@a") == found
    assert processes.of_environment(identity, tmp_path, (), service="other@a") == ()
    assert processes.of_environment("another", tmp_path, ()) == ()


def test_a_server_that_overwrote_its_environment_is_known_by_program_and_folder(
    tmp_path: Path,
) -> None:
    program = str(Path("/bin/sleep").resolve())
    home = tmp_path / "data" / "valkey@a"
    home.mkdir(parents=True)
    bare = {k: v for k, v in os.environ.items() if k != processes.MARK}
    child = subprocess.Popen([program, "60"], cwd=home, env=bare)
    try:
        data = tmp_path / "data"
        assert [p.pid for p in processes.of_environment("id", data, {program})] == [child.pid]
        assert processes.of_environment("id", data, {"/bin/other"}) == ()
        assert processes.of_environment("id", tmp_path / "elsewhere", {program}) == ()
        assert processes.of_environment("id", data, {program}, service="etcd@a") == ()
    finally:
        child.kill()
        child.wait()


def test_a_recycled_pid_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    now = process(sleeper.pid)
    assert now is not None
    former = Process(now.pid, now.started_ticks - 1)
    assert now.alive
    assert not former.alive
    former.end(signal.SIGKILL)
    assert sleeper.poll() is None
    now.end(signal.SIGTERM)
    assert sleeper.wait(5) == -signal.SIGTERM


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    now = process(sleeper.pid)
    assert now is not None
    now.end(signal.SIGKILL)
    assert processes.ended([now], 5) == ()
    assert process(sleeper.pid) is None  # although nobody has waited for it yet


def test_what_does_not_end_is_returned(sleeper: subprocess.Popen[bytes]) -> None:
    now = process(sleeper.pid)
    assert now is not None
    assert processes.ended([now], 0.05) == (now,)


def test_a_process_that_is_gone_has_no_facts() -> None:
    assert process(2**22 + 1) is None
    assert processes.environment_of(2**22 + 1) == {}
    assert processes.command_of(2**22 + 1) == ""
    assert processes.resident_bytes(2**22 + 1, {}) is None


def test_memory_counts_descendants() -> None:
    script = "import subprocess,sys; x=b'x'*50_000_000; subprocess.run(['sleep','60'])"
    child = subprocess.Popen([sys.executable, "-c", script])
    try:
        while not processes.children().get(child.pid):
            assert child.poll() is None
        tree = processes.children()
        whole = processes.resident_bytes(child.pid, tree)
        alone = processes.resident_bytes(child.pid, {})
        assert whole is not None
        assert alone is not None
        assert whole > alone > 50_000_000
    finally:
        for pid in (*processes.children().get(child.pid, ()), child.pid):
            os.kill(pid, signal.SIGKILL)
        child.wait()


def test_a_listener_is_found_with_its_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        found = processes.listener(port)
        assert found is not None
        assert found[0] == os.getpid()
        assert "py" in found[1]
    assert processes.listener(port) is None
