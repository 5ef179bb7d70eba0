"""A toolchain folder of its own for every test, and programs that are shell scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.toolchain import onpath, store

Script = Callable[[Path, str, str], Path]


@pytest.fixture(autouse=True)
def toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point opsctl at an empty state; no setting of the user's is seen."""
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("OPSCTL_TOOLCHAIN", raising=False)
    for name in ("POSTGRESQL", "VALKEY", "ETCD", "SEAWEEDFS", "PROMETHEUS", "ALERTMANAGER"):
        monkeypatch.delenv(f"OPSCTL_{name}_BIN", raising=False)
    monkeypatch.setattr(store, "reachable_by_all", lambda _: True)  # pytest's folders are private
    onpath.ask.cache_clear()
    return tmp_path / "state" / "toolchain"


@pytest.fixture
def script() -> Script:
    """Return a maker of executables that print a line."""

    def make(folder: Path, name: str, prints: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(f"#!/bin/sh\necho '{prints}'\n")
        path.chmod(0o755)
        return path

    return make
