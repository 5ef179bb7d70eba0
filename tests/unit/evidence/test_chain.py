from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.evidence.chain import Finding, against, examine, links
from opsctl.evidence.head import Head
from opsctl.evidence.line import GENESIS, Entry, canonical, digest, seal

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def chain(count: int) -> list[bytes]:
    """Return the lines of a log, as a file without its newlines."""
    lines: list[bytes] = []
    previous = GENESIS
    for index in range(count):
        entry = Entry(
            run=f"run-{index}",
            at=AT,
            duration_s=1.5,
            user="user",
            host="host",
            opsctl="0.1.0",
            command="deploy",
            environment="daily",
            identity=None,
            arguments={"n": index},
            outcome="done",
            exit_code=0,
            message="",
            result={},
            folder="/runs",
        )
        lines.append(seal(entry, index, previous).rstrip(b"\n"))
        previous = json.loads(lines[-1])["hash"]
    return lines


def head(lines: list[bytes], index: int) -> Head:
    first, line = json.loads(lines[0]), json.loads(lines[index])
    return Head(at=AT, log=first["hash"], index=index, hash=line["hash"])


def found(lines: list[bytes], *heads: Head) -> list[tuple[str, int | None]]:
    examined = links(lines)
    return [(f.kind, f.line) for f in (*examine(examined), *against(examined, heads, "the head"))]


def changed(line: bytes, **values: Any) -> bytes:
    return canonical({**json.loads(line), **values})


def resealed(line: bytes, **values: Any) -> bytes:
    content = {**json.loads(line), **values}
    return canonical({**content, "hash": digest(content)})


WHOLE = chain(6)


def test_a_whole_log_has_no_finding() -> None:
    assert found(WHOLE, *(head(WHOLE, index) for index in range(6))) == []
    assert found([]) == []


@pytest.mark.parametrize("index", range(6))
def test_a_changed_line_is_named(index: int) -> None:
    lines = list(WHOLE)
    lines[index] = changed(lines[index], user="mallory")
    assert found(lines) == [("changed", index)]


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"[]", b"{}", b"\xff", b'{"hash":1,"index":2,"previous":3}']
)
def test_a_line_that_is_none_is_named_by_its_place(text: bytes) -> None:
    assert found([*WHOLE[:3], text, *WHOLE[4:]]) == [("changed", 3)]


def test_one_space_more_is_a_change() -> None:
    assert found([*WHOLE[:5], WHOLE[5].replace(b",", b", ", 1)]) == [("changed", 5)]


def test_a_line_replaced_by_a_sealed_one_is_named_by_the_next() -> None:
    lines = list(WHOLE)
    lines[2] = resealed(lines[2], user="mallory")
    assert found(lines) == [("changed", 2)]


def test_the_last_line_replaced_is_told_by_the_head_alone() -> None:
    lines = [*WHOLE[:5], resealed(WHOLE[5], user="mallory")]
    assert found(lines) == []
    assert found(lines, head(WHOLE, 5)) == [("changed", 5)]


@pytest.mark.parametrize("index", range(5))
def test_a_missing_line_is_named(index: int) -> None:
    assert ("missing", index) in found([*WHOLE[:index], *WHOLE[index + 1 :]])


def test_missing_lines_in_a_row_are_one_finding() -> None:
    (finding,) = examine(links([WHOLE[0], *WHOLE[4:]]))
    assert finding == Finding(kind="missing", line=1, detail="lines 1 to 3 are missing")


def test_missing_lines_whose_gap_was_closed_are_found() -> None:
    # Numbered anew and sealed, so that only the hashes of the neighbours can tell.
    lines = [*WHOLE[:2], resealed(WHOLE[3], index=2)]
    assert found(lines) == [("changed", 1)]


def test_a_moved_line_is_named() -> None:
    assert found([*WHOLE[:1], WHOLE[2], WHOLE[1], *WHOLE[3:]]) == [("reordered", 1)]


def test_a_doubled_line_is_named() -> None:
    assert found([*WHOLE[:3], WHOLE[2], *WHOLE[3:]]) == [("doubled", 2)]


@pytest.mark.parametrize("kept", range(6))
def test_a_cut_tail_is_told_by_the_head(kept: int) -> None:
    assert found(WHOLE[:kept]) == []
    assert found(WHOLE[:kept], head(WHOLE, 5)) == [("cut", kept)]


def test_a_log_that_was_replaced_whole_is_told_by_the_head() -> None:
    other = [resealed(WHOLE[0], user="mallory")]
    assert found(other, head(WHOLE, 0)) == [("changed", 0)]


def test_a_log_whose_beginning_was_cut_and_numbered_anew() -> None:
    assert found([resealed(WHOLE[3], index=0)]) == [("missing", 0)]


@given(
    st.lists(st.integers(0, 5), min_size=0, max_size=8).filter(lambda order: order != [*range(6)])
)
def test_no_other_arrangement_of_the_lines_passes(order: list[int]) -> None:
    assert found([WHOLE[index] for index in order], head(WHOLE, 5)) != []


@given(st.integers(0, 5), st.integers(0, 10_000), st.integers(0, 255))
def test_no_byte_can_be_changed_unseen(index: int, at: int, value: int) -> None:
    line = bytearray(WHOLE[index])
    at %= len(line)
    if line[at] == value or value == 10:  # a newline would make two lines of it
        return
    line[at] = value
    kinds = found([*WHOLE[:index], bytes(line), *WHOLE[index + 1 :]])
    assert kinds == [("changed", index)]
