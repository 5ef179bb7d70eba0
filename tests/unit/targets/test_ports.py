from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from opsctl.errors import OpsctlError
from opsctl.targets.local import ports
from opsctl.targets.local.ports import FIRST, LAST, Ports


def file(tmp_path: Path, environment: str = "daily") -> Path:
    path = tmp_path / environment / "ports.json"
    path.parent.mkdir(exist_ok=True)
    return path


def test_a_port_is_chosen_once_and_kept(tmp_path: Path) -> None:
    first = Ports(file(tmp_path))
    chosen = {name: first.port(name) for name in ("x@a/http", "y@a/http")}
    assert first.port("x@a/http") == chosen["x@a/http"]
    first.keep({})
    again = Ports(file(tmp_path))
    assert {name: again.port(name) for name in chosen} == chosen
    assert len(set(chosen.values())) == 2
    assert all(FIRST <= port <= LAST for port in chosen.values())


def test_choosing_writes_nothing(tmp_path: Path) -> None:
    Ports(file(tmp_path)).port("x@a/http")
    assert not file(tmp_path).exists()


def test_what_services_use_wins_over_what_was_chosen(tmp_path: Path) -> None:
    found = Ports(file(tmp_path))
    found.port("x@a/http")
    found.keep({"x@a/http": 29_001})
    assert Ports(file(tmp_path)).port("x@a/http") == 29_001


def test_a_port_of_another_environment_is_never_chosen(tmp_path: Path) -> None:
    taken = {f"s{n}": n for n in range(FIRST, LAST + 1) if n not in (24_000, 24_001)}
    file(tmp_path, "other").write_text(json.dumps(taken))
    found = Ports(file(tmp_path))
    assert {found.port("x"), found.port("y")} == {24_000, 24_001}
    with pytest.raises(OpsctlError, match="no port"):
        found.port("z")


def test_a_port_that_is_in_use_is_never_chosen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        assert not ports.free(int(stranger.getsockname()[1]))


@pytest.mark.parametrize("content", ["", "[1]", '{"x": "y"}', '{"x": {}}'])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, content: str) -> None:
    file(tmp_path).write_text(content)
    with pytest.raises(OpsctlError) as fault:
        Ports(file(tmp_path))
    assert "remove" in fault.value.hint


def test_a_damaged_file_of_another_environment_is_its_own_affair(tmp_path: Path) -> None:
    file(tmp_path, "other").write_text("{")
    assert Ports(file(tmp_path)).port("x")
