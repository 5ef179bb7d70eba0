"""An engine behind sshd, on a second host: reached, refused, and let go of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.images.engine import connected
from opsctl.images.ssh import CONFIG, SshRefused, Tunnel, tunnel
from tests.support.process import freeze
from tests.support.second_host import FAR, PORT, SecondHost, key, lacking, second_host
from tests.support.servers import wait_for

HOLD = (
    "import sys, time; from opsctl.images.ssh import tunnel\n"
    "print(tunnel(sys.argv[1]), flush=True); sys.stdin.read()"
)


@pytest.fixture(scope="module")
def host() -> Iterator[SecondHost]:
    if why := lacking():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a second host: {why}")
        pytest.skip(why)
    with second_host() as found:
        yield found


@pytest.fixture(autouse=True)
def config(host: SecondHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG, str(host.config))


def processes(socket: str) -> list[int]:
    """Return the processes of ssh that forward to a socket here."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"ssh" and any(socket.encode() in word for word in words):
            found.append(int(path.parent.name))
    return found


def test_an_engine_is_used_over_one_log_in(host: SecondHost) -> None:
    with connected(host.address) as engine:
        assert engine.info["DockerRootDir"] == f"{host.engine.home}/data"
        assert engine.held() == ()
        with connected(host.address) as again:
            assert again.held() == ()
    assert len(processes(str(tunnel(host.address)))) == 1


def test_a_tunnel_that_broke_is_made_anew(host: SecondHost) -> None:
    socket = tunnel(host.address)
    (first,) = processes(str(socket))
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not processes(str(socket)), "its end")
    with connected(host.address) as engine:
        assert engine.held() == ()
    assert tunnel(host.address) != socket


def test_a_tunnel_that_breaks_while_it_is_asked_is_made_anew(
    host: SecondHost,
) -> None:
    """It is stopped first, so that it is found alive, and killed with the request on its way."""
    first = tunnel(host.address)
    (process,) = processes(str(first))
    freeze(process)
    killing = threading.Timer(0.5, os.kill, (process, signal.SIGKILL))
    killing.start()
    with connected(host.address) as engine:
        assert engine.held() == ()
    killing.join()
    assert tunnel(host.address) != first


def test_a_command_that_is_killed_leaves_no_log_in_behind(host: SecondHost) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, host.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    socket = holder.stdout.readline().strip()
    assert processes(socket)
    holder.kill()
    holder.communicate()
    wait_for(lambda: not processes(socket), "its ssh to end")


def test_a_host_without_an_engine_is_told_from_one_that_is_down(host: SecondHost) -> None:
    with pytest.raises(SshRefused, match="there is no /nowhere"):
        Tunnel(f"ssh://root@{FAR}:{PORT}/nowhere/docker.sock")
    with pytest.raises(SshRefused, match="Connection refused"):
        Tunnel(f"ssh://root@{FAR}:{PORT + 1}")


def test_a_key_that_is_not_accepted_is_said(host: SecondHost, tmp_path: Path) -> None:
    kept = (host.ssh / "authorized_keys").read_text()
    (host.ssh / "authorized_keys").write_text(f"{key(tmp_path / 'other')}\n")
    try:
        with pytest.raises(SshRefused, match="refuses this user's keys"):
            Tunnel(host.address)
    finally:
        (host.ssh / "authorized_keys").write_text(kept)


@pytest.mark.parametrize(
    ("known", "message"),
    [(False, "is not known here"), (True, "is not the one that is known")],
)
def test_a_host_of_an_unknown_or_another_key_is_not_spoken_to(
    host: SecondHost, tmp_path: Path, known: bool, message: str
) -> None:
    host.known(key(tmp_path / "key") if known else "")
    try:
        with pytest.raises(SshRefused, match=message):
            Tunnel(host.address)
    finally:
        host.known(host.host_key)


def test_without_ssh_on_this_machine_it_says_so(
    host: SecondHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SshRefused, match="this machine has no ssh"):
        Tunnel(host.address)
