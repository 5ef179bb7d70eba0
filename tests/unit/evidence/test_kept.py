"""Heads that lie with an environment: a log that was cut or has forked is found by them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from opsctl import evidence
from opsctl.evidence.head import Head
from opsctl.evidence.kept import FILE, Heads, forks, kept, noted

WHOSE = "the head that daily keeps"


def run(state: Path, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """Leave lines in the log of a machine."""
    monkeypatch.setenv("OPSCTL_STATE", str(state))
    for _ in range(times):
        with evidence.recorded(command="deploy", environment="daily"):
            pass


def told(heads: tuple[Head, ...]) -> tuple[Head, ...]:
    """Return what the environment keeps once this machine has told it."""
    return Heads.model_validate_json(noted(heads)).heads


def test_the_newest_head_of_every_log_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "one", monkeypatch, 2)
    heads = told(())
    run(tmp_path / "one", monkeypatch)
    heads = told(heads)
    assert [head.index for head in heads] == [2]
    run(tmp_path / "two", monkeypatch)
    heads = told(heads)
    assert [head.index for head in heads] == [2, 0]
    assert forks(heads, WHOSE) == ()


def test_a_log_that_two_machines_went_on_with_has_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "one", monkeypatch, 2)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    run(tmp_path / "one", monkeypatch)
    heads = told(())
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "two"))
    (behind,) = forks(heads, WHOSE)
    assert (behind.kind, behind.line) == ("forked", 2)
    assert "the log ends with line 1" in behind.detail
    run(tmp_path / "two", monkeypatch, 2)
    heads = told(heads)
    assert sorted(head.index for head in heads) == [2, 3]
    (forked,) = forks(heads, WHOSE)
    assert (forked.kind, forked.line) == ("forked", 2)
    assert "line 2 is not the one that the head that daily keeps" in forked.detail
    # The other one learns of it as well.
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "one"))
    assert [one.line for one in forks(heads, WHOSE)] == [3]


def test_what_is_no_file_of_heads_proves_nothing(tmp_path: Path) -> None:
    assert kept(tmp_path) == ()
    (tmp_path / FILE).write_text("{}x")
    assert kept(tmp_path) == ()
