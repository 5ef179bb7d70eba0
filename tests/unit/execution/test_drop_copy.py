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


def test_a_disk_that_is_full_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = DropCopyLog(tmp_path / "drop.log")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        log.take(told())
    log.take(told(exec_id="E2"))
    assert b"E2" in (tmp_path / "drop.log").read_bytes()
    log.close()
