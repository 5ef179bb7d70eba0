"""A halt that waits for the journal is on the disk, whole or as good as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.core.journal import Halt
from apps.execution.halt_note import HaltNote

HALT = Halt(at_ns=7, by="alice", reason="no journal")


def test_it_is_kept_until_it_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "halt.json"
    assert HaltNote(path).read() is None
    assert HaltNote(path).keep(HALT) == ""
    assert HaltNote(path).read() == HALT
    HaltNote(path).drop()
    HaltNote(path).drop()
    assert HaltNote(path).read() is None
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_be_read_is_a_halt(tmp_path: Path) -> None:
    path = tmp_path / "halt.json"
    path.write_bytes(b'{"at_ns": 7, "b')
    found = HaltNote(path).read()
    assert found is not None
    assert (found.by, found.at_ns) == ("unknown", path.stat().st_mtime_ns)


def test_one_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    why = HaltNote(tmp_path / "gone" / "halt.json").keep(HALT)
    assert why == "the halt could not be written to disk (No such file or directory)"


@pytest.mark.parametrize("act", ["read", "drop"])
def test_without_a_path_nothing_is_kept(act: str) -> None:
    note = HaltNote(None)
    assert note.keep(HALT) == ""
    assert getattr(note, act)() is None
