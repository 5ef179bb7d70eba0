from __future__ import annotations

from glob import glob
from pathlib import Path

import pytest

from opsctl.targets import files


def test_a_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write(path, "one")
    files.write(path, "two", mode=0o500)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o500
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_draft_that_a_killed_writer_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".x.draft").write_text("half")
    files.write(tmp_path / "x", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_no_draft_is_taken_for_a_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "x.conf", "half")
    assert glob(str(tmp_path / "*.conf")) == []  # noqa: PTH207 - as supervisord's include looks for it


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("data")
    (tmp_path / "data").symlink_to(elsewhere)
    files.remove(tmp_path / "data")
    assert (elsewhere / "precious").exists()
    assert not (tmp_path / "data").exists()


def test_removing_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    files.remove(tmp_path / "none")


def test_a_folder_keeps_its_mode(tmp_path: Path) -> None:
    files.folder(tmp_path / "a" / "b", mode=0o711)
    files.folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
