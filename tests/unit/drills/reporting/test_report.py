"""The report of a recorded run: whole, the same when made again, and honest about the run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from opsctl.drills import report
from tests.support.drilled import CLIENT, made
from tests.support.drilled_files import RUN, rewrite, seal, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(made(200), tmp_path / RUN)


def test_both_forms_are_made_again_byte_by_byte_elsewhere_too(run: Path, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in report.write(run)]
    assert [path.read_bytes() for path in report.write(run)] == first
    moved = shutil.copytree(run, tmp_path / "elsewhere" / "moved")
    assert [path.read_bytes() for path in report.write(moved)] == first


def test_what_the_report_tells(run: Path) -> None:
    markdown, html = (path.read_text() for path in report.write(run))
    for part in (
        "# Drill leader-kill on intraday: passed",
        "**A rehearsal: sites a and b share one host.**",
        "| RTO, from the last to the first acceptance | 60000 ms | 50 ms | 40.0 ms |",
        "| 4 | 0.000 | 2026-11-29 11:56:32.500000 | SIGKILL of execution@a |",
        "4 orders were in doubt. Of those that the venue did not know: 2 entered again",
        "| the venue's own record | 200 | 200 |",
        "Nothing: every one of the 200 orders",
        f"opsctl drill show {RUN} --order {CLIENT}-",
        "## Sign-off",
        "| 1 | the takeover was rehearsed on one host |  |  |",
    ):
        assert part in markdown
    assert f'<details id="order-{CLIENT}-49-1">' in html
    assert f'<a href="#order-{CLIENT}-49-1">' in html
    assert html.count("<svg") == 2


def test_the_page_asks_for_nothing(run: Path) -> None:
    html = report.write(run)[1].read_text()
    assert not re.search(r"<script|https?://|src=|url\(|@import", html)


def test_what_was_recorded_makes_no_markup(run: Path) -> None:
    rewrite(run / "logs.jsonl", lambda row: row | {"text": "<img src=x onerror=alert(1)>"})
    markdown, html = (path.read_text() for path in report.write(seal(run)))
    assert "<img" not in html
    assert "&lt;img" in html
    assert "<img" not in markdown.split("```")[0]


def test_a_run_that_was_changed_after_its_end_says_so(run: Path) -> None:
    rewrite(run / "venue.jsonl", lambda row: None if row["n"] == 0 and row["qty"] == 2 else row)
    markdown, html = (path.read_text() for path in report.write(run))
    for text in (markdown, html):
        assert "is not as it was sealed, and proves nothing" in text
        assert "venue.jsonl is not what was sealed" in text


def test_its_size_does_not_grow_with_the_orders(run: Path, tmp_path: Path) -> None:
    many = write(made(8_000), tmp_path / "many")
    few_bytes, many_bytes = (len(report.write(each)[1].read_bytes()) for each in (run, many))
    assert many_bytes < few_bytes * 1.2
