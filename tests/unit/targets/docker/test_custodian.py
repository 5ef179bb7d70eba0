"""What the lock's container runs: it writes what it is told, whole, and ends with its holder."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opsctl.targets.docker.custodian import KEPT, STATE, Told, put, serve


@contextmanager
def serving(folder: Path, silence_s: float = 30.0) -> Iterator[tuple[int, int, threading.Thread]]:
    """Yield where it is told, where it answers, and what ends when it does."""
    told, tell = os.pipe()
    answers, answer = os.pipe()
    thread = threading.Thread(target=serve, args=(folder, Told(told, silence_s), answer))
    thread.start()
    try:
        yield tell, answers, thread
    finally:
        for each in (tell, answers):
            os.close(each)
        thread.join(5)
        os.close(told)
        os.close(answer)
        assert not thread.is_alive()


def test_it_keeps_what_it_is_told_and_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as (tell, answers, _):
        os.write(tell, b"\n\nput 5\nhel")
        os.write(tell, b"lo\n")
        assert os.read(answers, 100) == KEPT
        assert (tmp_path / STATE).read_bytes() == b"hello"
        os.write(tell, b"put 3\nnewdrop\n")
        assert os.read(answers, len(KEPT)) == KEPT
        assert os.read(answers, len(KEPT)) == KEPT
        assert list(tmp_path.iterdir()) == []


def test_nobody_but_root_reads_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with serving(tmp_path) as (tell, answers, _):
        os.write(tell, b"put 1\nx")
        os.read(answers, 100)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / STATE).stat().st_mode & 0o777 == 0o600


def test_it_ends_when_its_holder_has_been_silent(tmp_path: Path) -> None:
    with serving(tmp_path, silence_s=0.2) as (_, _, thread):
        thread.join(5)
        assert not thread.is_alive()


def test_half_a_state_is_none(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    with serving(tmp_path) as (tell, _, _):
        os.write(tell, b"put 100\nonly a part")
    assert (tmp_path / STATE).read_bytes() == b"old"


def test_a_crash_before_the_switch_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, b"old")

    def killed(path: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            put(tmp_path, b"new")
    assert (tmp_path / STATE).read_bytes() == b"old"
    put(tmp_path, b"newer")
    assert (tmp_path / STATE).read_bytes() == b"newer"
