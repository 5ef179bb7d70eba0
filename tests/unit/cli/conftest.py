"""The command line in this process, on a project of its own and a target without processes."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opsctl.cli.main import main
from tests.unit.deploy.fake import FakeHost, FakeTarget, means, service

PROJECT = "name: trading\nruntime: python\n"
DAILY = "config:\n  trading:format: 1\n  trading:tier: daily\n  trading:dr: cold\n"


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON result."""
        return json.loads(self.out)


class Terminal(io.StringIO):
    """A terminal on which somebody types."""

    def isatty(self) -> bool:
        return True


class Opsctl:
    """Runs commands as the console script does."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.project = folder

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        (self.project / name).write_text(text)

    def __call__(self, *words: str, typed: str | None = None) -> Done:
        """Run one command; `typed` is what somebody types on a terminal, None: there is none."""
        stdin = io.StringIO() if typed is None else Terminal(typed)
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["opsctl", *words])
            patch.setattr(sys, "stdin", stdin)
            code = 0
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        said = self._capsys.readouterr()
        return Done(code, said.out, said.err)


@pytest.fixture
def opsctl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Opsctl:
    """The command line, in a project with the environment `daily`."""
    runner = Opsctl(monkeypatch, capsys, tmp_path)
    runner.write("Pulumi.yaml", PROJECT)
    runner.write("Pulumi.daily.yaml", DAILY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return runner


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, state: Path) -> FakeTarget:
    """What the commands of this test act on."""
    fake = FakeTarget(FakeHost(state / "host"), (service("bus"), service("data", waits=("bus",))))
    monkeypatch.setattr("opsctl.targets.open_target", lambda _: fake, raising=False)
    monkeypatch.setattr("opsctl.deploy.means.means", lambda: means(fake))
    return fake
