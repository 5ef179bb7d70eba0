from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.targets.local import logs


def entry(second: int, text: str) -> str:
    return f'{{"at": "2026-11-23T21:44:{second:02d}Z", "event": "{text}"}}\n'


def at(second: int) -> datetime:
    return datetime(2026, 11, 23, 21, 44, second, tzinfo=UTC)


def texts(path: Path, since: datetime | None = None) -> list[str]:
    return [line.text for line in logs.history([("x@a", path)], since)]


def test_rotated_files_are_read_oldest_first(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    for suffix, content in (("", "new\n"), (".1", "older\n"), (".2", "oldest\n")):
        log.with_name(f"x.log{suffix}").write_text(content)
    assert texts(log) == ["oldest", "older", "new"]


def test_services_are_merged_in_time_and_a_trace_stays_with_its_line(tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text(entry(1, "a") + "Traceback\n  File\n" + entry(5, "d"))
    two.write_text(entry(2, "b") + entry(4, "c"))
    found = [line.text for line in logs.history([("one@a", one), ("two@a", two)], None)]
    assert found == [
        *(entry(1, "a").strip(), "Traceback", "  File"),
        *(entry(2, "b").strip(), entry(4, "c").strip(), entry(5, "d").strip()),
    ]


def test_since_takes_lines_without_a_time_along_with_the_one_before(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(entry(1, "a") + "of a\n" + entry(3, "b") + "of b\n")
    assert texts(log, at(2)) == [entry(3, "b").strip(), "of b"]


def test_a_service_that_never_logged_has_no_lines(tmp_path: Path) -> None:
    assert texts(tmp_path / "none.log") == []
    assert logs.tail(tmp_path / "none.log", 5) == ()


@pytest.mark.parametrize("count", [0, 1, 3, 7, 100])
def test_the_tail_reaches_over_a_rotation(tmp_path: Path, count: int) -> None:
    log = tmp_path / "x.log"
    everything = [f"line {n}" for n in range(10)]
    log.with_name("x.log.1").write_text("\n".join(everything[:6]) + "\n")
    log.write_text("\n".join(everything[6:]) + "\n")
    assert logs.tail(log, count) == tuple(everything[-count:] if count else ())


def test_the_tail_of_a_long_log_is_exact(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    everything = [f"{n} " + "x" * 300 for n in range(1000)]
    log.write_text("\n".join(everything) + "\n")
    assert logs.tail(log, 500) == tuple(everything[-500:])


def test_following_survives_a_rotation_and_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("before\n")
    stream = logs.follow([("x@a", log)], None)
    begun = threading.Event()

    def write() -> None:
        begun.wait()
        with log.open("a") as out:
            out.write("first\nsec")
            out.flush()
            out.write("ond\n")
        log.rename(tmp_path / "x.log.1")
        log.write_text("third\n")

    writer = threading.Thread(target=write)
    writer.start()
    threading.Timer(0.2, begun.set).start()  # the generator starts at its first `next`
    found = [line.text for line in itertools.islice(stream, 3)]
    writer.join()
    assert found == ["first", "second", "third"]


def test_following_since_a_time_begins_with_the_past(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(entry(1, "a") + entry(3, "b"))
    stream = logs.follow([("x@a", log)], at(2))
    assert next(stream).text == entry(3, "b").strip()
    with log.open("a") as out:
        out.write("now\n")
    assert next(stream).text == "now"
