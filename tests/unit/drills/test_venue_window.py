from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opsctl.drills import venue_window
from opsctl.drills.venue_window import VenueWindow, day_begins


def line(kind: str, **fields: Any) -> bytes:
    made = {"v": 1, "more": 0, "kind": kind, "n": 1, "at_ns": 7, "session": "OPS-A-ORD"}
    return json.dumps(made | fields, separators=(",", ":")).encode() + b"\n"


def accept(order: str) -> bytes:
    return line("accept", cl_ord_id=order)


def execution(order: str, exec_id: str, day: str = "2010-01-05", leaves: int = 0) -> bytes:
    return line(
        "execution",
        cl_ord_id=order,
        exec_id=exec_id,
        day=day,
        side="buy",
        symbol="AAPL",
        qty=5,
        price="10.5",
        leaves_qty=leaves,
    )


def day(name: str) -> bytes:
    return line("day", seq=1, day=name, closes={"AAPL": "10"}, quotes={})


YESTERDAY = [day("2010-01-04"), accept("y-1"), execution("y-1", "E1", "2010-01-04")]
EXPIRED = [accept("y-2"), line("expire", cl_ord_id="y-2")]
TODAY = [day("2010-01-05"), accept("t-1"), execution("t-1", "E2"), accept("t-2"), accept("t-3")]
BEFORE = [*YESTERDAY, *EXPIRED, *TODAY]


def window(path: Path, *since: bytes, before: list[bytes] = BEFORE) -> VenueWindow:
    """Return the window of a record that had `before` as the drill began."""
    path.write_bytes(b"".join([*before, *since]))
    return VenueWindow(path, len(b"".join(before)))


def test_what_rested_as_the_drill_began_rests_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    seen = window(path, execution("t-2", "E3"), accept("d-1"))
    assert seen.found.resting == {"t-2", "t-3"}
    found = seen.read()
    assert found.resting == {"t-3", "d-1"}
    assert [one.order for one in found.accepted] == ["d-1"]
    assert set(found.executions) == {("2010-01-05", "E3", "buy")}
    assert set(found.earlier) == {("2010-01-05", "E2", "buy")}
    assert (found.twice, found.repeated) == ([], [])


def test_it_is_read_as_it_grows_and_a_torn_line_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    seen, torn = window(path), accept("d-1")
    with path.open("ab") as file:
        file.write(torn[:20])
        file.flush()
        assert seen.read().accepted == []
        file.write(torn[20:])
        file.flush()
        assert [one.order for one in seen.read().accepted] == ["d-1"]
        assert len(seen.read().accepted) == 1


@pytest.mark.parametrize("order", ["t-1", "t-2", "y-1", "y-2"])
def test_an_order_of_before_that_is_accepted_again_is_there_twice(
    tmp_path: Path, order: str
) -> None:
    seen = window(tmp_path / "record.jsonl", accept(order), accept("d-1"))
    found = seen.read()
    seen.look_up(set(), {one.order for one in found.accepted})
    assert found.twice == [order]


def test_an_execution_of_before_that_is_repeated_is_named(tmp_path: Path) -> None:
    found = window(tmp_path / "record.jsonl", execution("t-1", "E2")).read()
    assert found.repeated == [("2010-01-05", "E2", "buy")]


def test_an_execution_of_an_earlier_day_is_known_when_it_is_asked_for(tmp_path: Path) -> None:
    seen = window(tmp_path / "record.jsonl")
    yesterday = ("2010-01-04", "E1", "buy")
    assert yesterday not in seen.found.earlier
    seen.look_up({yesterday, ("2010-01-04", "E9", "buy")}, set())
    assert seen.found.earlier[yesterday].order == "y-1"
    assert ("2010-01-04", "E9", "buy") not in seen.found.earlier
    assert seen.found.executions == {}


@pytest.mark.parametrize("block", [7, 64, 1 << 20])
def test_reading_begins_with_the_day_that_is_open(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue_window, "BLOCK", block)
    path = tmp_path / "record.jsonl"
    path.write_bytes(b"".join(BEFORE))
    begins = len(b"".join([*YESTERDAY, *EXPIRED]))
    assert day_begins(path, len(b"".join(BEFORE))) == begins
    assert day_begins(path, begins + len(TODAY[0])) == begins
    assert day_begins(path, begins) == 0
    assert day_begins(path, 0) == 0


def test_a_record_that_began_without_a_day_is_read_from_its_start(tmp_path: Path) -> None:
    seen = window(tmp_path / "record.jsonl", before=[accept("t-1")])
    assert seen.read().resting == {"t-1"}
