"""`.ci/plan` and `.ci/drift` of an environment in a cloud, as jobs of CI run them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.aws.firm import Firm
from tests.support.aws.firm import firm as firms
from tests.support.project import OPSCTL
from tests.support.workflows import REPOSITORY


@pytest.fixture
def firm() -> Iterator[Firm]:
    """A firm that has deployed nothing."""
    with firms() as made:
        made.write_cloud()
        made.variables["GITHUB_STEP_SUMMARY"] = str(made.home / "page.md")
        made.variables["PATH"] += f"{os.pathsep}{Path(OPSCTL).parent}"
        yield made


def run(firm: Firm, *words: str) -> tuple[int, str]:
    """Run a script; return how it ended and what it added to the page of the job."""
    page = Path(firm.variables["GITHUB_STEP_SUMMARY"])
    page.unlink(missing_ok=True)
    done = subprocess.run(
        [REPOSITORY / ".ci" / words[0], *words[1:]],
        cwd=firm.home,
        env=firm.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode, page.read_text() if page.exists() else done.stderr.decode()


def test_before_and_after_it_is_made(firm: Firm) -> None:
    code, page = run(firm, "plan", "cloud", "plan.md")
    assert code == 0, page
    assert page.startswith("### Plan of `cloud`\n")
    assert page == (firm.home / "plan.md").read_text()
    assert "aws:ec2/instance:Instance" in page
    assert "services: there are no hosts yet" in page
    assert firm.networks() == []

    firm.run("deploy", "cloud", "--only", "infrastructure")
    logs = firm.server.client("logs")
    group = logs.describe_log_groups()["logGroups"][0]["logGroupName"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    code, page = run(firm, "drift", "cloud")
    assert code == 3, page
    assert page.startswith("### Drift of `cloud`: 1\n\n- somebody changed ")
    assert "retentionInDays" in page
    assert "were not met yet" in page
