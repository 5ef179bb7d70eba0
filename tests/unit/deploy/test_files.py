"""Files that are whole or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from opsctl.deploy.files import remove, write_whole
from opsctl.errors import OpsctlError


def test_it_replaces_and_is_for_its_owner_alone(state: Path) -> None:
    path = state / "environments/daily/applied.json"
    write_whole(path, "one")
    write_whole(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["applied.json"]


def test_a_full_disk_leaves_the_old_one_and_is_said(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = state / "applied.json"
    write_whole(path, "one")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OpsctlError, match="No space left on device"):
            write_whole(path, "two")
    assert path.read_text() == "one"
    write_whole(path, "three")
    assert path.read_text() == "three"
    assert [p.name for p in state.iterdir()] == ["applied.json"]


def test_a_folder_that_is_none_is_said(state: Path) -> None:
    (state / "file").write_text("")
    with pytest.raises(OpsctlError, match="cannot be written"):
        write_whole(state / "file/applied.json", "one")


def test_removing_what_is_not_there_is_no_fault(state: Path) -> None:
    remove(state / "absent")
