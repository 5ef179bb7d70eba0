"""Without the extra `provision` it is said how to install it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from opsctl.errors import ToolMissing
from opsctl.provision import programs


def test_the_programs_are_those_of_our_own_python() -> None:
    assert programs.ansible("ansible-playbook").is_file()
    assert programs.configuration().is_file()
    strategies = programs.mitogen()
    assert strategies is not None
    assert (strategies / "mitogen_linear.py").is_file()


def test_ansible_that_is_not_installed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="ansible-inventory is not installed") as caught:
        programs.ansible("ansible-inventory")
    assert "opsctl[provision]" in caught.value.hint


def test_ansible_of_another_python_takes_the_runner_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ToolMissing, match="ansible-runner is not installed"):
        programs.ansible("ansible-inventory")


def test_openssh_that_is_not_installed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="ssh-keyscan is not installed"):
        programs.openssh("ssh-keyscan")
