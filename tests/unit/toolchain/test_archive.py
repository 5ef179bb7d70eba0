from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.toolchain import exporting, importing, inspection, programs, store
from opsctl.toolchain.archive import INDEX, ArchiveRefused

Member = tuple[tarfile.TarInfo, bytes]
VERSION = "9.1.2"


def install(content: bytes = b"#!/bin/sh\necho valkey\n", version: str = VERSION) -> Path:
    with store.lock("valkey"), store.staging("valkey") as folder:
        tree = folder / "tree"
        (tree / "bin").mkdir(parents=True)
        (tree / "bin" / "valkey-server").write_bytes(content)
        (tree / "bin" / "valkey-server").chmod(0o755)
        (tree / "share").mkdir()
        (tree / "share" / "notes").write_text("for people")
        manifest = store.manifest_of(
            tree,
            name="valkey",
            version=version,
            method="wheel",
            source="test",
            binaries={"valkey-server": "bin/valkey-server"},
        )
        return store.commit(tree, manifest)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an archive of one program."""
    install()
    exporting.export(tmp_path / "tools.tar", ["valkey"])
    return tmp_path / "tools.tar"


@pytest.fixture
def elsewhere(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to another machine: an empty toolchain folder, which is returned."""
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PATH", "/nonexistent")
    return tmp_path / "elsewhere" / "toolchain"


def rewrite(archive: Path, change: Callable[[list[Member]], list[Member]]) -> None:
    """Change the members of an archive as an attacker would."""
    with tarfile.open(archive) as tar:
        members = [(m, f.read() if (f := tar.extractfile(m)) else b"") for m in tar]
    with tarfile.open(archive, "w") as tar:
        for info, content in change(members):
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def member(name: str, content: bytes = b"evil", kind: bytes = tarfile.REGTYPE) -> Member:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info, content


@pytest.mark.parametrize("name", ["tools.tar", "tools.tar.gz"])
def test_what_is_exported_runs_where_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    there = install()
    made = exporting.export(tmp_path / name)
    assert [(p.name, p.version) for p in made.programs] == [("valkey", VERSION)]
    assert {left.name for left in made.left_out} >= {"etcd"}
    assert made.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert (tmp_path / name).read_bytes()[:2] == b"\x1f\x8b" or not name.endswith(".gz")
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PATH", "/nonexistent")
    importing.load(tmp_path / name, made.sha256)
    here = programs.path("valkey", "valkey-server")
    assert here != there / "bin/valkey-server"
    assert here.read_bytes() == (there / "bin/valkey-server").read_bytes()
    assert here.stat().st_mode & 0o777 == 0o755
    assert inspection.check().verdict == "passed"


def test_an_import_twice_is_the_same_as_once(archive: Path, elsewhere: Path) -> None:
    importing.load(archive)
    importing.load(archive)
    assert programs.missing(["valkey"]) == ()


def test_an_archive_with_another_hash_than_was_told_is_refused(
    archive: Path, elsewhere: Path
) -> None:
    with pytest.raises(ArchiveRefused, match="not the archive"):
        importing.load(archive, "0" * 64)
    assert not elsewhere.exists()


def forged_binary(members: list[Member]) -> list[Member]:
    return [(i, b"evil" if i.name.endswith("valkey-server") else c) for i, c in members]


def forged_manifest(members: list[Member]) -> list[Member]:
    return [
        (i, c.replace(b"test", b"evil") if i.name.endswith(store.MANIFEST) else c)
        for i, c in members
    ]


def forged_with_its_hashes(name: str, binaries: str) -> Callable[[list[Member]], list[Member]]:
    """Return a forgery whose manifest and index agree with each other."""

    def forge(members: list[Member]) -> list[Member]:
        index = json.loads(members[0][1])
        for number, (info, content) in enumerate(members):
            if info.name.endswith(store.MANIFEST):
                manifest = json.loads(content)
                manifest["files"] = {name: hashlib.sha256(b"evil").hexdigest()}
                manifest["binaries"] = {"valkey-server": binaries}
                members[number] = info, json.dumps(manifest).encode()
                digest = hashlib.sha256(members[number][1]).hexdigest()
                index["programs"][0]["manifest_sha256"] = digest
        members[0] = members[0][0], json.dumps(index).encode()
        return [*members[:2], member(f"valkey/{VERSION}/{name}")]

    return forge


def index_with(**change: object) -> Callable[[list[Member]], list[Member]]:
    def forge(members: list[Member]) -> list[Member]:
        return [
            (members[0][0], json.dumps({**json.loads(members[0][1]), **change}).encode()),
            *members[1:],
        ]

    return forge


def twice(members: list[Member]) -> list[Member]:
    index = json.loads(members[0][1])
    index["programs"] *= 2
    return [(members[0][0], json.dumps(index).encode()), *members[1:]]


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(forged_binary, id="a changed binary"),
        pytest.param(forged_manifest, id="a changed manifest"),
        pytest.param(lambda m: m[:-1], id="a missing file"),
        pytest.param(lambda m: [m[0], *m[2:]], id="a missing manifest"),
        pytest.param(lambda m: m[:1], id="nothing but an index"),
        pytest.param(lambda m: m[1:], id="no index"),
        pytest.param(lambda m: [*m, m[-1]], id="a file twice"),
        pytest.param(lambda m: [*m, member(f"valkey/{VERSION}/extra")], id="a file not listed"),
        pytest.param(lambda m: [*m, member("../../evil")], id="out of the folder"),
        pytest.param(lambda m: [*m, member("/tmp/opsctl-evil")], id="an absolute path"),
        pytest.param(
            lambda m: [*m, member(f"valkey/{VERSION}/../../../evil")],
            id="out by a program's folder",
        ),
        pytest.param(lambda m: [*m, member("etcd/3.6/bin/etcd")], id="a program not in the index"),
        pytest.param(
            lambda m: [*m, member(f"valkey/{VERSION}/bin/x", b"", tarfile.SYMTYPE)], id="a link"
        ),
        pytest.param(
            lambda m: [*m, member(f"valkey/{VERSION}/bin/x", b"", tarfile.FIFOTYPE)], id="a pipe"
        ),
        pytest.param(
            forged_with_its_hashes("../../../evil", "bin/x"), id="a manifest that leads out"
        ),
        pytest.param(
            forged_with_its_hashes("/tmp/opsctl-evil", "/bin/sh"), id="an absolute manifest"
        ),
        pytest.param(forged_with_its_hashes("bin/x", "/bin/sh"), id="a binary of the system"),
        pytest.param(index_with(platform="plan9-mips"), id="another platform"),
        pytest.param(index_with(format=2), id="a newer format"),
        pytest.param(twice, id="a program twice"),
    ],
)
def test_what_was_tampered_with_is_refused_and_nothing_is_imported(
    archive: Path, elsewhere: Path, tmp_path: Path, forge: Callable[[list[Member]], list[Member]]
) -> None:
    rewrite(archive, forge)
    with pytest.raises(ArchiveRefused):
        importing.load(archive)
    assert programs.missing(["valkey"]) == ("valkey",)
    assert list(tmp_path.rglob("*evil*")) == []
    assert not Path("/tmp/opsctl-evil").exists()
    staged = elsewhere / store.STAGING
    assert not staged.exists() or list(staged.iterdir()) == []


@pytest.mark.parametrize("cut", [0, 100, 2000, 4000])
def test_a_torn_archive_is_refused(archive: Path, elsewhere: Path, cut: int) -> None:
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(ArchiveRefused):
        importing.load(archive)
    assert programs.missing(["valkey"]) == ("valkey",)


def test_a_version_that_does_not_serve_is_refused(
    tmp_path: Path, archive: Path, elsewhere: Path
) -> None:
    def older(members: list[Member]) -> list[Member]:
        changed: list[Member] = []
        for info, content in members[1:]:
            info.name = info.name.replace(VERSION, "7.0.0")
            changed.append((info, content.replace(VERSION.encode(), b"7.0.0")))
        index = json.loads(members[0][1])
        manifest = next(c for i, c in changed if i.name.endswith(store.MANIFEST))
        index["programs"][0] |= {
            "version": "7.0.0",
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        }
        return [(members[0][0], json.dumps(index).encode()), *changed]

    rewrite(archive, older)
    with pytest.raises(ArchiveRefused, match="needed is >=8,<10"):
        importing.load(archive)


def test_a_changed_file_is_not_exported(tmp_path: Path) -> None:
    place = install()
    (place / "share" / "notes").write_text("changed")
    with pytest.raises(ArchiveRefused) as caught:
        exporting.export(tmp_path / "tools.tar", ["valkey"])
    assert caught.value.details == (f"changed: {place / 'share' / 'notes'}",)
    assert not (tmp_path / "tools.tar").exists()


def test_there_must_be_something_to_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing):
        exporting.export(tmp_path / "tools.tar")


def test_an_archive_that_is_not_there_or_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpsctlError, match="there is no file"):
        importing.load(tmp_path / "none.tar")
    install()
    with pytest.raises(OpsctlError, match="cannot be written"):
        exporting.export(tmp_path / "no" / "folder.tar")


def test_index_is_the_first_member(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert names[:2] == [INDEX, f"valkey/{VERSION}/{store.MANIFEST}"]
    assert len(names) == len(set(names)) == 4
