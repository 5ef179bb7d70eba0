from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.toolchain import inspection, store

from .test_archive import install


def test_every_program_is_listed_with_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    place = install()
    found = {p.name: p for p in inspection.state().programs}
    assert found["valkey"].state == "ready"
    assert found["valkey"].path == str(place / "bin/valkey-server")
    assert found["etcd"].state == "missing"
    assert found["etcd"].methods == ("path", "go", "debian")
    assert all(p.why for p in found.values())


def test_a_fallback_is_called_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with store.lock("etcd"), store.staging("etcd") as folder:
        tree = folder / "tree"
        tree.mkdir()
        names = ("etcd", "etcdctl", "etcdutl")
        for name in names:
            (tree / name).touch()
        store.commit(
            tree,
            store.manifest_of(
                tree,
                name="etcd",
                version="3.4.23-4",
                method="debian",
                source="deb",
                note="older",
                binaries={name: name for name in names},
            ),
        )
    found = {p.name: p for p in inspection.state().programs}["etcd"]
    assert (found.state, found.note) == ("fallback", "older")


def test_a_check_names_what_changed_went_and_came() -> None:
    place = install()
    assert inspection.check().verdict == "passed"
    (place / "bin" / "valkey-server").write_bytes(b"changed")
    (place / "share" / "notes").unlink()
    (place / "share" / "stranger").touch()
    (place / "link").symlink_to("/etc/passwd")
    [checked] = inspection.check(["valkey"]).programs
    assert checked.verdict == "failed"
    assert {(f.path, f.finding) for f in checked.findings} == {
        ("bin/valkey-server", "changed"),
        ("share/notes", "missing"),
        ("share/stranger", "added"),
        ("link", "added"),
    }


def test_a_check_names_a_folder_without_a_valid_manifest() -> None:
    place = install()
    (place / store.MANIFEST).write_text("{")
    found = inspection.check()
    assert found.verdict == "failed"
    assert [f.finding for f in found.programs[0].findings] == ["no valid manifest"]


def test_a_file_replaced_by_a_link_is_found_even_where_the_content_is_the_same(
    tmp_path: Path,
) -> None:
    place = install()
    binary = place / "bin" / "valkey-server"
    (tmp_path / "copy").write_bytes(binary.read_bytes())
    binary.unlink()
    binary.symlink_to(tmp_path / "copy")
    assert inspection.check().verdict == "failed"
