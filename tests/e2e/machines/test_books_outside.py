"""Containers whose books others keep: on a host, from which alone their PostgreSQL is reached."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from opsctl.images.ssh import CONFIG
from opsctl.targets.docker.host import PYTHON
from tests.support.managed import MASTER, PORT, Managed, managed
from tests.support.process import wait_for
from tests.support.project import Project
from tests.support.second_host import FAR, SecondHost

NAME = "outside"
ADDRESS = f"{FAR.rpartition('.')[0]}.9"
CONNECT = "import socket; socket.create_connection(({0!r}, {1}), 3)"
TLS = struct.pack("!ii", 8, 80877103)
"""What a client of PostgreSQL asks first: whether there is TLS."""
SETTINGS = {
    "format": 1,
    "tier": "daily",
    "dr": "cold",
    "target": "docker",
    "replay": {"day_s": 0.5},
}


@pytest.fixture
def server(other_host: SecondHost) -> Iterator[Managed]:
    with managed(ADDRESS, ADDRESS, other_host.namespace) as found:
        yield found


def reached(host: str, port: int) -> bool:
    """Whether a PostgreSQL answers from here: a firewall may take any connection."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), 3) as line:
        line.sendall(TLS)
        return line.recv(1) == b"S"
    return False


def tried(engine: docker.DockerClient, name: str, host: str, port: int) -> str:
    """Connect from a container; return what was said, nothing where something answers."""
    inside = engine.containers.get(f"opsctl-{NAME}-{name}")
    code, said = inside.exec_run([*PYTHON, "-I", "-S", "-c", CONNECT.format(host, port)])
    return "" if code == 0 else said.decode().strip().splitlines()[-1]


def test_a_site_reaches_its_books_and_nothing_else_outside(
    other_host: SecondHost, server: Managed, tmp_path: Path
) -> None:
    (tmp_path / "master").write_text(f"{server.password}\n")
    at = {"host": server.host, "ca": server.ca, "user": MASTER}
    books: dict[str, Any] = {"a": {**at, "password_file": str(tmp_path / "master")}}
    project = Project(tmp_path / "project", variables={CONFIG: str(other_host.config)})
    project.put(NAME, {**SETTINGS, "hosts": {"a": other_host.address}, "books": books})
    assert not reached(ADDRESS, PORT), "whoever deploys must not"
    try:
        made = project.json("deploy", NAME, "--no-verify")
        assert made["services"] > 0
        status = project.json("status", NAME, code=None)
        assert "postgres" not in {one["name"] for one in status["services"]}
        orders = "SELECT count(*) FROM orders"
        wait_for(lambda: server.rows("outside_a", orders) != [(0,)], "orders", timeout_s=180)
        assert server.rows("outside_a", "SELECT count(*) FROM closes") != [(0,)]
        address = f"unix://{other_host.engine.socket}"
        with contextlib.closing(docker.DockerClient(base_url=address)) as engine:
            for name in ("execution-a", "projector-a", "desk-a", "venue-market"):
                assert "timed out" in tried(engine, name, ADDRESS, PORT), name
            assert tried(engine, "network-between", ADDRESS, PORT) == ""

        verified = json.loads(project.run("verify", NAME, "--output", "json", code=None).stdout)
        checks = {one["name"]: one for one in verified["checks"]}
        assert checks["real orders"]["verdict"] in ("passed", "stated"), checks["real orders"]

        again = project.json("deploy", NAME, "--no-verify")
        assert again["changes"] == []
    finally:
        project.run("destroy", NAME, "--yes", code=None)
    assert server.rows("outside_a", "SELECT index FROM journal_position") != [(0,)]
