"""The workflow files ask for no more rights than they need, and run nothing that is not here."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from opsctl.cli.main import COMMANDS
from tests.support.workflows import FILES, FOLDER, REPOSITORY, Job, jobs, workflow

JOBS = [job for path in FILES for job in jobs(path)]
ACTIONS = {"checkout", "setup-python", "setup-go", "cache", "upload-artifact", "download-artifact"}
RIGHTS = {
    "branch-cloud.environment": {"contents": "read", "id-token": "write"},
    "plan.plan": {"contents": "read", "id-token": "write"},
    "plan.comment": {"pull-requests": "write"},
    "deploy.plan": {"contents": "read", "id-token": "write"},
    "deploy.deploy": {"contents": "read", "id-token": "write"},
    "nightly.nightly": {"contents": "read", "id-token": "write"},
    "reap.reap": {"contents": "read", "id-token": "write"},
}
"""The jobs that get more than to read the repository."""
GIVEN = {"GITHUB_ENV", "GITHUB_PATH", "GITHUB_RUN_ID", "GITHUB_STEP_SUMMARY", "HOME", "PWD"}


def named(job: Job) -> str:
    """Return `workflow.job`."""
    return f"{job.workflow}.{job.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_nothing_else_unless_a_job_says_so(path: Path) -> None:
    assert workflow(path)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("job", JOBS, ids=named)
def test_a_job_has_the_rights_that_are_listed_here_and_ends(job: Job) -> None:
    assert job.text.get("permissions") == RIGHTS.get(named(job))
    assert 0 < job.text["timeout-minutes"] <= 120


@pytest.mark.parametrize("job", JOBS, ids=named)
def test_a_job_uses_github_s_own_actions_by_version_or_ours(job: Job) -> None:
    for used in (step["uses"] for step in job.steps if "uses" in step):
        if used.startswith("./"):
            assert (REPOSITORY / used / "action.yml").exists()
        else:
            assert re.fullmatch(rf"actions/({'|'.join(ACTIONS)})@v[0-9]+", used), used


@pytest.mark.parametrize("job", JOBS, ids=named)
def test_what_a_job_runs_is_here_and_has_no_text_of_a_stranger_in_it(job: Job) -> None:
    commands = {entry.name for entry in COMMANDS}
    for step in job.steps:
        text = step.get("run", "")
        assert "${{" not in text, "what a branch is called would be run: take it by a variable"
        for variable in re.findall(r"\$\{?([A-Z_]+)", text):
            assert variable in {*job.text.get("env", {}), *GIVEN}, variable
        for line in text.splitlines():
            words = shlex.split(line)
            if words[0] == "opsctl":
                assert words[1] in commands
            elif words[0].startswith(".ci/"):
                assert os.access(REPOSITORY / words[0], os.X_OK), words[0]
            else:
                assert words[0] in {"bash", "gh"}, line


def test_a_reviewer_approves_before_anything_is_deployed() -> None:
    changing = [j for j in JOBS if any("opsctl deploy" in s.get("run", "") for s in j.steps)]
    assert [named(job) for job in changing] == ["deploy.deploy"]
    assert changing[0].text["environment"] == "production"
    assert changing[0].text["needs"] == "plan"


def test_the_job_that_may_write_comments_runs_nothing_of_the_pull_request() -> None:
    (comment,) = [job for job in JOBS if named(job) == "plan.comment"]
    used = [step.get("uses", "") for step in comment.steps]
    assert not [one for one in used if "checkout" in one or one.startswith("./")]
    assert "head.repo.full_name == github.repository" in comment.text["if"]


@pytest.mark.parametrize("name", ["nightly", "reap"])
def test_what_is_due_runs_on_a_schedule(name: str) -> None:
    assert workflow(FOLDER / f"{name}.yml")["on"]["schedule"][0]["cron"]
