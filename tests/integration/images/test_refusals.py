"""What is refused, in which words, before anything is changed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opsctl import evidence
from opsctl.images.engine import EngineRefused, connected
from opsctl.model.environment import Images
from tests.integration.images.conftest import Engine
from tests.support import engine as engines
from tests.support.command import opsctl
from tests.support.servers import folder


def test_no_engine(state: Path) -> None:
    done = opsctl("images", "build", "valkey", state=state, engine="unix:///nowhere/docker.sock")
    assert done.returncode == 1
    assert "no Docker Engine answers at unix:///nowhere/docker.sock" in done.stderr
    assert "hint: start one" in done.stderr
    assert not list(evidence.log().read())


def test_an_address_that_is_none(state: Path) -> None:
    done = opsctl("images", "build", "valkey", "--engine", "carrier-pigeon://roof", state=state)
    assert done.returncode == 1
    assert "carrier-pigeon" in done.stderr
    assert "hint: name an engine" in done.stderr


def test_no_permission_on_the_socket(engine: Engine) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(EngineRefused) as caught, connected(engine.address):
            pass
    finally:
        os.seteuid(0)
    assert caught.value.message.startswith("no permission on the engine's socket")
    assert "usermod -aG docker" in caught.value.hint


def test_an_engine_that_is_too_old(state: Path) -> None:
    with fake_engine({"Version": "19.03.15", "ApiVersion": "1.40"}) as address:
        done = opsctl("images", "build", "valkey", state=state, engine=address)
    assert done.returncode == 1
    assert "is Docker 19.03.15: too old" in done.stderr
    assert "Docker 20.10 or later" in done.stderr


def test_an_engine_whose_disk_is_full(state: Path) -> None:
    if why := engines.lacking():
        pytest.skip(why)
    with folder() as home:
        small = home / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(small)], check=True)
        dockerd = engines.Dockerd(small, *engines.ALONE)
        try:
            dockerd.start()
            done = opsctl("images", "build", "valkey", state=state, engine=dockerd.address)
        finally:
            dockerd.stop()
            engines.unmount(small)
            subprocess.run(["umount", "--lazy", str(small)], check=True)
    assert done.returncode == 1
    assert "the disk of the engine" in done.stderr
    assert "needed are 2.1 GB" in done.stderr
    assert "docker image prune" in done.stderr
    assert not list(evidence.log().read())


def test_an_image_that_does_not_exist(engine: Engine, state: Path) -> None:
    done = opsctl("images", "build", "exection", state=state, engine=engine.address)
    assert done.returncode == 2
    assert "there is no image 'exection'" in done.stderr
    assert "did you mean execution?" in done.stderr


def test_an_image_named_by_tag_is_no_name() -> None:
    digest = "sha256:" + "0" * 64
    assert Images(use={"postgres": f"docker.io/library/postgres@{digest}"}).use
    assert Images(use={"postgres": digest}).use  # the id of an image that the engine holds
    for wrong in ("postgres:18", f"postgres@{digest[:-1]}", ""):
        with pytest.raises(ValueError, match="should match pattern"):
            Images(use={"postgres": wrong})


@contextmanager
def fake_engine(version: dict[str, str]) -> Iterator[str]:
    """Answer one question, the version: an old engine cannot be had any more."""
    with folder() as home, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "old.sock"))
        listener.listen()
        body = json.dumps(version).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    if line.recv(65536):
                        line.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"unix://{home / 'old.sock'}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
