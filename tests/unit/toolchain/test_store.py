from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from opsctl.toolchain import store


def tree_in(folder: Path, content: str = "#!/bin/sh\n") -> Path:
    tree = folder / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "tool").write_text(content)
    (tree / "bin" / "tool").chmod(0o700)
    return tree


def commit(content: str, version: str = "1.0") -> Path:
    with store.lock("tool"), store.staging("tool") as folder:
        tree = tree_in(folder, content)
        store.opened(tree)
        manifest = store.manifest_of(
            tree,
            name="tool",
            version=version,
            method="wheel",
            source="test",
            binaries={"tool": "bin/tool"},
        )
        return store.commit(tree, manifest)


def test_what_is_committed_can_be_read_by_every_account_whatever_the_umask(
    toolchain: Path,
) -> None:
    before = os.umask(0o077)
    try:
        place = commit("one")
    finally:
        os.umask(before)
    assert place == toolchain / "tool" / "1.0"
    for path in (toolchain, place.parent, place, place / "bin", place / "bin" / "tool"):
        assert path.stat().st_mode & 0o005 == 0o005, path
    assert (place / store.MANIFEST).stat().st_mode & 0o004
    manifest = store.read(place)
    assert manifest is not None
    assert manifest.files == {"bin/tool": store.sha256(place / "bin/tool")}


def test_a_second_commit_replaces_the_first_and_leaves_nothing_staged(toolchain: Path) -> None:
    commit("one")
    place = commit("two")
    assert (place / "bin" / "tool").read_text() == "two"
    assert [m.version for _, m in store.versions("tool")] == ["1.0"]
    assert list((toolchain / store.STAGING).iterdir()) == []


def test_what_a_killed_process_staged_is_removed_under_its_lock_only(toolchain: Path) -> None:
    mine = toolchain / store.STAGING / "tool.abc"
    other = toolchain / store.STAGING / "tools.abc"
    mine.mkdir(parents=True)
    other.mkdir()
    with store.lock("tool"):
        assert not mine.exists()
        assert other.exists()


def test_a_manifest_that_is_torn_or_leads_outside_counts_as_none(toolchain: Path) -> None:
    place = commit("one")
    manifest = (place / store.MANIFEST).read_text()
    (place / store.MANIFEST).write_text(manifest[:40])
    assert store.read(place) is None
    (place / store.MANIFEST).write_text(manifest.replace("bin/tool", "../../etc/passwd"))
    assert store.read(place) is None
    assert list(store.versions("tool")) == []


@pytest.mark.parametrize("version", ["../1", "", ".1", "1/2", "-1"])
def test_a_version_that_is_no_folder_name_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(ValidationError):
        store.manifest_of(
            tmp_path, name="tool", version=version, method="go", source="", binaries={}
        )


def test_links_are_not_kept_and_other_bits_are_taken_off(tmp_path: Path) -> None:
    tree = tree_in(tmp_path)
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "bin" / "tool").chmod(0o4777)
    store.opened(tree)
    assert not (tree / "link").is_symlink()
    assert (tree / "bin" / "tool").stat().st_mode & 0o7777 == 0o755
