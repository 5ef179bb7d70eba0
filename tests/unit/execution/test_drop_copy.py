from __future__ import annotations

import os
from pathlib import Path

import pytest

from apps.core.fix_messages import Pair, Received
from apps.execution.drop_copy import DropCopyLog


def told(exec_type: str = "F", exec_id: str = "E1") -> Received:
    pairs: tuple[Pair, ...] = (
        (35, "8"),
        (17, exec_id),
        (58, "two\nlines"),
        (150, exec_type),
        (10, "1"),
    )
    return Received("OPS-A-DROP", "8", 7, poss_dup=False, pairs=pairs)


def test_executions_are_written_a_line_each_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "new" / "drop.log"
    log = DropCopyLog(path)
    for message in (told(), told("0"), told(exec_id="E2")):
        log.take(message)
    assert path.read_bytes().splitlines() == [
        b"35=8\x0117=E1\x0158=two lines\x01150=F\x0110=1",
        b"35=8\x0117=E2\x0158=two lines\x01150=F\x0110=1",
    ]
    log.close()
    log = DropCopyLog(path)
    log.take(told(exec_id="E3"))
    assert len(path.read_bytes().splitlines()) == 3
    log.close()


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "drop.log"
    log = DropCopyLog(path, largest_bytes=60)
    for number in range(5):
        log.take(told(exec_id=f"E{number}"))
    aside = path.with_name("drop.log.1").read_bytes().splitlines()
    assert [line[8:10] for line in aside] == [b"E2", b"E3"]
    assert [line[8:10] for line in path.read_bytes().splitlines()] == [b"E4"]
    log.close()


def ids(log: Path) -> list[bytes]:
    """Return the ExecIDs of the whole lines of a log."""
    lines = log.read_bytes().splitlines()
    assert all(line.startswith(b"35=8\x01") and line.endswith(b"\x0110=1") for line in lines)
    return [line[8:10] for line in lines]


def test_what_a_full_disk_could_not_take_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write, room = DropCopyLog(tmp_path / "drop.log"), os.write, [10]

    def full(file: int, line: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(file, line[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        log.take(told())  # it takes the first ten bytes
        log.take(told(exec_id="E2"))
        assert (tmp_path / "drop.log").stat().st_size == 10
    log.take(told(exec_id="E3"))
    assert ids(tmp_path / "drop.log") == [b"E1", b"E2", b"E3"]
    log.close()


def test_what_waits_for_room_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = DropCopyLog(tmp_path / "drop.log", waiting=2)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        for number in range(4):
            log.take(told(exec_id=f"E{number}"))
    log.take(told(exec_id="E4"))
    found = ids(tmp_path / "drop.log")
    assert (found[0], found[-1], len(found)) == (b"E0", b"E4", 2)
    log.close()
