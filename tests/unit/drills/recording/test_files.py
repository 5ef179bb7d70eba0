from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.drills.recording import files
from opsctl.errors import OpsctlError
from tests.support.drilled import made
from tests.support.drilled_files import write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(made(8), tmp_path)


def test_a_sealed_run_is_whole(run: Path) -> None:
    assert list(files.changed(run, files.manifest(run))) == []
    assert len(files.evidence_of(run)) == 64


@pytest.mark.parametrize("name", ["client.jsonl", "venue.jsonl", "books-a.jsonl", "drill.json"])
def test_a_file_that_was_changed_is_named(run: Path, name: str) -> None:
    path = run / name
    path.write_bytes(path.read_bytes() + b" ")
    assert list(files.changed(run, files.manifest(run))) == [f"{name} is not what was sealed"]
    path.unlink()
    assert list(files.changed(run, files.manifest(run))) == [f"{name} is missing"]


def test_a_file_that_was_added_is_named(run: Path) -> None:
    (run / "drop-copy-c.jsonl").write_text("")
    assert list(files.changed(run, files.manifest(run))) == ["drop-copy-c.jsonl was added"]


def test_reports_are_no_part_of_the_evidence(run: Path) -> None:
    before = files.evidence_of(run)
    (run / "report.html").write_text("made later")
    assert list(files.changed(run, files.manifest(run))) == []
    assert files.evidence_of(run) == before


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpsctlError, match="holds no recorded run"):
        files.manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(OpsctlError, match="is no manifest of this release"):
        files.manifest(tmp_path)
