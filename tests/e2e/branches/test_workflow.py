"""The steps of the job that CI runs for a pull request, run as they stand in its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.branches.conftest import left
from tests.support.workflows import FOLDER, REPOSITORY, jobs

(JOB,) = jobs(FOLDER / "branch.yml")


def run(variables: dict[str, str]) -> list[tuple[str, int]]:
    """Run the steps as CI does: after one that failed, only those that always run."""
    ended: list[tuple[str, int]] = []
    for step in JOB.steps:
        failed = any(code for _, code in ended)
        if "run" not in step or (failed and step.get("if") != "always()"):
            continue
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=REPOSITORY,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(step["name"], done.stdout, done.stderr, file=sys.stderr)
        ended.append((step["name"], done.returncode))
    return ended


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """What CI would give the job."""
    written = JOB.variables(github_event_number="123", github_run_id="17500000001")
    return {
        **written,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "page.md"),
        "GITHUB_REPOSITORY": "acme/books",
        "GITHUB_RUN_ID": "17500000001",
        "GITHUB_RUN_ATTEMPT": "1",
    }


@pytest.fixture(autouse=True)
def _tidy() -> None:
    (REPOSITORY / "up.xml").unlink(missing_ok=True)


def test_a_pull_request_gets_an_environment_that_is_drilled_and_taken_away(
    variables: dict[str, str], state: Path
) -> None:
    ended = run(variables)
    assert ended == [("Up and verified", 0), ("Drill", 0), ("Down", 0)]
    page = Path(variables["GITHUB_STEP_SUMMARY"]).read_text()
    assert "## Environment `pr-123-17500000001`: passed" in page
    assert "of acme/books run 17500000001 attempt 1, until 20" in page
    assert "### Drill `leader-kill` of `pr-123-17500000001`" in page
    assert left(state) == []
    assert not list((state / "environments").iterdir())
    (REPOSITORY / "up.xml").unlink()


def test_where_it_does_not_come_up_the_job_fails_and_nothing_is_left(
    variables: dict[str, str], state: Path
) -> None:
    ended = run({**variables, "BASE": "nonsuch"})
    assert ended == [("Up and verified", 2), ("Down", 0)]
    assert left(state) == []
