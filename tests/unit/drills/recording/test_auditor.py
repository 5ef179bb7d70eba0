"""The script of docs/check-a-drill.md, run with the standard library alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.drilled import CLIENT, Made, made
from tests.support.drilled_files import rewrite, seal, write
from tests.support.script import auditor

ORDER = f"{CLIENT}-3-0"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return auditor(tmp_path / "check.py")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(made(40), tmp_path / "run")


def audit(script: Path, run: Path) -> subprocess.CompletedProcess[str]:
    # Neither our packages nor anybody's: isolated, and without site-packages.
    words = [sys.executable, "-I", "-S", str(script), str(run)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_run_that_passed_is_found_to_have_passed(script: Path, run: Path) -> None:
    done = audit(script, run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "orders acknowledged: 40, accepted by the venue: 40" in done.stdout
    assert "lost: 0, duplicated: 0, other differences: 0" in done.stdout
    assert "RTO: 40.000 ms" in done.stdout
    assert "verdict: passed; the report says: passed" in done.stdout


def without(kind: str, key: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    return lambda row: None if row.get("table") == kind and row.get(key) == ORDER else row


def unjournaled(row: dict[str, Any]) -> dict[str, Any] | None:
    names = [i["id"] for i in row["record"].get("decision", {}).get("intents", ())]
    return None if ORDER in names else row


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("books-a.jsonl", without("orders", "id"), f"{ORDER}: acknowledged, not in books-a"),
        ("books-b.jsonl", without("fills", "order_id"), "not, or otherwise, in books-b"),
        ("journal.jsonl", unjournaled, f"{ORDER}: not in the journal"),
        (
            "drop-copy-b.jsonl",
            lambda row: row | {"fix": row["fix"].replace("32=1", "32=9")},
            "not, or otherwise, in drop-copy-b",
        ),
        (
            "venue.jsonl",
            lambda row: None if row["cl_ord_id"] == ORDER and row["kind"] != "accept" else row,
            "in the journal, not at the venue",
        ),
        (
            "books-a.jsonl",
            lambda row: row | {"qty": 77} if row["table"] == "positions" else row,
            "77 shares in books-a",
        ),
        (
            "books-a.jsonl",
            lambda row: row | {"settled": False} if row.get("id") == ORDER else row,
            f"{ORDER}: open in books-a or at the venue alone",
        ),
    ],
)
def test_what_is_wrong_is_found(
    script: Path, run: Path, name: str, change: Callable[[Any], Any], says: str
) -> None:
    rewrite(run / name, change)
    done = audit(script, seal(run))
    assert done.returncode == 1, done.stderr
    assert says in done.stdout
    assert "verdict: failed; the report says: passed" in done.stdout


def test_an_order_that_was_accepted_twice_is_found(script: Path, tmp_path: Path) -> None:
    found: Made = made(40)
    found.venue += [line for line in found.venue if getattr(line, "cl_ord_id", "") == ORDER][:1]
    done = audit(script, write(found, tmp_path / "run"))
    assert f"{ORDER}: accepted 2 times" in done.stdout
    assert "duplicated: 1" in done.stdout
    assert done.returncode == 1


def test_an_objective_that_was_missed_is_found(script: Path, tmp_path: Path) -> None:
    done = audit(script, write(made(40, rto_ms=61_000.0), tmp_path / "run"))
    assert "RTO: 61000.000 ms" in done.stdout
    assert done.returncode == 1


def test_a_site_that_led_again_itself_is_judged_by_its_new_epoch(script: Path, run: Path) -> None:
    place = run / "window.json"
    window = json.loads(place.read_text())
    window["successor"]["session"] = window["former"]["session"]
    window["fault_ns"] -= 4_000_000  # what was on its way then is accepted after it
    place.write_text(json.dumps(window))
    rewrite(run / "venue.jsonl", by_one_session)
    assert "RTO: 40.000 ms" in audit(script, seal(run)).stdout


def by_one_session(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"session": "OPS-A-ORD"} if row.get("session") == "OPS-B-ORD" else row


def test_a_file_that_was_changed_is_found_though_nothing_else_is(script: Path, run: Path) -> None:
    path = run / "logs.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    done = audit(script, run)
    assert done.returncode == 1
    assert "logs.jsonl is not what was sealed" in done.stdout
    assert "verdict: passed" in done.stdout


def test_the_page_names_every_file_of_a_run(run: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "check-a-drill.md").read_text()
    for path in run.iterdir():
        name = re.sub(r"-[ab]\.", "-SITE.", path.name)
        assert f"`{name}`" in page
