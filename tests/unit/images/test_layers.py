"""A layer is the same bytes whoever makes it, when, and in which order."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from opsctl.images import layers


def _tree(folder: Path, names: list[str], *, mtime: float, mode: int) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
        path.chmod(mode)
        os.utime(path, (mtime, mtime))
    (folder / "link").symlink_to("a/one")
    return folder


def test_neither_time_nor_order_nor_mask_is_in_a_layer(tmp_path: Path) -> None:
    names = ["a/one", "a/two", "b", "a.b/c"]
    first = _tree(tmp_path / "1", names, mtime=1e9, mode=0o644)
    second = _tree(tmp_path / "2", names[::-1], mtime=1.5e9, mode=0o600)

    one, two = layers.write(first, tmp_path / "1.tar"), layers.write(second, tmp_path / "2.tar")

    assert one == two
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_content_and_executable_bit_are_in_a_layer(tmp_path: Path) -> None:
    plain = _tree(tmp_path / "1", ["a/one"], mtime=1e9, mode=0o644)
    runs = _tree(tmp_path / "2", ["a/one"], mtime=1e9, mode=0o755)
    other = _tree(tmp_path / "3", ["a/one"], mtime=1e9, mode=0o644)
    (other / "a/one").write_text("else")

    digests = {layers.write(t, tmp_path / "out.tar")[0] for t in (plain, runs, other)}

    assert len(digests) == 3


def test_everything_is_roots_and_nothing_is_setuid(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "1", ["usr/bin/su"], mtime=1e9, mode=0o4755)
    layers.write(tree, tmp_path / "out.tar")

    with tarfile.open(tmp_path / "out.tar") as tar:
        members = {member.name: member for member in tar}
    assert members["usr/bin/su"].mode == 0o755
    assert {(m.uid, m.gid, m.uname) for m in members.values()} == {(0, 0, "")}
    assert members["link"].linkname == "a/one"


def test_pruned_folders_go_with_their_last_file(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "1", ["doc/a/b", "lib/x", "lib/y.pyi"], mtime=1e9, mode=0o644)

    layers.prune(tree, ("doc/*", "*.pyi"))

    assert sorted(p.name for p in tree.rglob("*")) == ["lib", "link", "x"]
