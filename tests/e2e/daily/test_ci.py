"""`.ci/plan` and `.ci/drift` on what runs on this machine, as a job of CI runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Deployed
from tests.support.workflows import REPOSITORY


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Return the page of the job."""
    return tmp_path / "page.md"


def run(words: list[str], page: Path, at: Path = REPOSITORY) -> tuple[int, str]:
    """Run a script; return how it ended and what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [REPOSITORY / words[0], *words[1:]],
        cwd=at,
        env={**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": str(page)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_what_is_as_it_is_declared_and_what_is_not(
    daily: Deployed, page: Path, tmp_path: Path
) -> None:
    assert run([".ci/drift", daily.name], page) == (0, "### Drift of `daily`: none\n")
    (tmp_path / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
    declared = (REPOSITORY / "Pulumi.daily.yaml").read_text()
    assert "day_s: 2" in declared
    (tmp_path / "Pulumi.daily.yaml").write_text(declared.replace("day_s: 2", "day_s: 3"))
    code, said = run([".ci/drift", daily.name], page, tmp_path)
    assert code == 3
    assert said.startswith("### Drift of `daily`: 2\n\n- restart venue@market: ")
    assert page.read_text().endswith(said)

    assert run([".ci/plan", daily.name, str(tmp_path / "plan.md")], page, tmp_path)[0] == 0
    written = (tmp_path / "plan.md").read_text()
    assert written.startswith("### Plan of `daily`\n\n```\n")
    assert "venue@market" in written
    assert page.read_text().endswith(written)


def test_what_cannot_be_looked_at_fails(daily: Deployed, page: Path, tmp_path: Path) -> None:
    assert run([".ci/drift", "nonsuch"], page)[0] == 2
    assert run([".ci/plan", "nonsuch", str(tmp_path / "plan.md")], page)[0] == 2
    assert "nonsuch" in (tmp_path / "plan.md").read_text()
