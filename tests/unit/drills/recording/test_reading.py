"""A file is read in pieces of whole lines: wherever they end, the same is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.drills.recording import files, narrow, reading
from opsctl.drills.recording.life import lives
from opsctl.errors import OpsctlError
from tests.support.drilled import CLIENT, made
from tests.support.drilled_files import write

SMALL = 1
"""Bytes of a piece, which is a line then."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(made(40), tmp_path)


def test_lives_and_lines_are_the_same_in_pieces(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [f"{CLIENT}-9-0", f"{CLIENT}-9-1"]
    whole, venue = lives(run, orders), list(reading.lines(run / files.VENUE, narrow.Venue))
    assert any("began while" in doubt.cause for one in whole.values() for doubt in one.doubts)
    monkeypatch.setattr(reading, "TOGETHER_BYTES", SMALL)
    assert lives(run, orders) == whole
    assert list(reading.lines(run / files.VENUE, narrow.Venue)) == venue


def test_a_line_that_is_not_of_its_kind_is_named_in_whatever_piece_it_is(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TOGETHER_BYTES", SMALL)
    path = run / files.VENUE
    every = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*every[:20], b'{"kind": 7}\n', *every[20:]]))
    with pytest.raises(OpsctlError, match=r"venue\.jsonl, line 21: "):
        list(reading.lines(path, narrow.Venue))


def test_a_torn_last_line_says_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TOGETHER_BYTES", SMALL)
    path = run / files.VENUE
    whole = list(reading.lines(path, narrow.Venue))
    path.write_bytes(path.read_bytes()[:-5])
    assert list(reading.lines(path, narrow.Venue)) == whole[:-1]
