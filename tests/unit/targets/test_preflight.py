from __future__ import annotations

import platform
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets.local import preflight
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.processes import process


def service(**more: object) -> Service:
    return Service.model_validate(
        {
            "name": "data",
            "site": "a",
            "kind": "app",
            "purpose": "a test",
            "argv": ("/bin/sh",),
            "probe": HttpProbe(at=Address(host="127.0.0.1", port=1), path="/", secret="t"),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("machine", "libc"), [("aarch64", "glibc"), ("x86_64", "musl"), ("x86_64", "")]
)
def test_another_platform_is_refused_in_one_line(
    machine: str, libc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, "1"))
    with pytest.raises(OpsctlError, match="needs Linux x86-64 with glibc") as refused:
        preflight.platform_fits()
    assert "\n" not in refused.value.message


def test_a_port_of_a_stranger_is_named_with_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = int(stranger.getsockname()[1])
        with pytest.raises(OpsctlError) as refused:
            preflight.ports_free([service(ports={"http": port})], (), tmp_path / "ports.json")
        (line,) = refused.value.details
        assert line.startswith(f"{port} (data@a/http): pid ")
        assert "pytest" in line or "python" in line
        assert "ports.json" in refused.value.hint


def test_a_port_of_our_own_is_no_obstacle(tmp_path: Path) -> None:
    import os

    me = process(os.getpid())
    assert me is not None
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = int(ours.getsockname()[1])
        preflight.ports_free([service(ports={"http": port})], [me], tmp_path)


def test_programs_that_cannot_be_run_are_all_named() -> None:
    with pytest.raises(ToolMissing) as refused:
        preflight.present([service(argv=("/no/such",)), service(argv=("/etc/passwd",))])
    assert refused.value.details == ("/etc/passwd (of data@a)", "/no/such (of data@a)")
    preflight.present([service()])


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(f_bavail=10, f_frsize=4096, f_files=100, f_favail=50, f_flag=0)
    monkeypatch.setattr("os.statvfs", lambda _: full)
    with pytest.raises(OpsctlError, match="0 MB free; 1024 MB are needed"):
        preflight.space(Layout(tmp_path / "daily"))


def test_a_disk_without_inodes_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(f_bavail=2**20, f_frsize=4096, f_files=100, f_favail=50, f_flag=0)
    monkeypatch.setattr("os.statvfs", lambda _: full)
    with pytest.raises(OpsctlError, match="50 free inodes"):
        preflight.space(Layout(tmp_path / "daily"))


def test_a_read_only_file_system_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_flag=1))
    with pytest.raises(OpsctlError, match="read-only"):
        preflight.place(Layout(tmp_path / "daily"), [])


def test_a_folder_that_cannot_be_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OpsctlError, match="cannot be written"):
        preflight.place(Layout(tmp_path / "daily"), [])


@pytest.mark.parametrize("name", ["with space", "per%cent", "quo'te", "new\nline"])
def test_a_path_that_no_configuration_can_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OpsctlError, match="characters"):
        preflight.place(Layout(tmp_path / name), [])


def test_root_is_told_where_its_servers_cannot_pass(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(OpsctlError, match="closed lets no other account pass"):
        preflight.place(Layout(closed / "daily"), [service(refuses_root=True)])
    preflight.place(Layout(closed / "daily"), [service()])
    closed.chmod(0o711)
    preflight.place(Layout(closed / "daily"), [service(refuses_root=True)])


def test_too_little_memory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "available_bytes", lambda: 200 * 1024**2)
    preflight.memory(2)
    with pytest.raises(OpsctlError, match="200 MB of memory are available; 3 services"):
        preflight.memory(3)


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", 8 * 1024**3), (str(3 * 1024**3), 2 * 1024**3)]
)
def test_memory_is_what_the_machine_and_the_container_leave(
    tmp_path: Path, limit: str, expected: int
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 99 kB\nMemAvailable: {8 * 1024**2} kB\n")
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(f"{1024**3}\n")
    assert preflight.available_bytes(meminfo, tmp_path) == expected
    assert preflight.available_bytes(meminfo, tmp_path / "none") == 8 * 1024**3
    assert preflight.available_bytes(tmp_path / "none", tmp_path) is None
