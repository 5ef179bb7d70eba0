"""`opsctl env up`: made, used, taken away, and what is refused before anything is made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import parse

import pytest

from opsctl.deploy import records
from opsctl.state import environment_folder
from tests.unit.deploy.fake import FAILS, FakeTarget, means, service
from tests.unit.ephemeral.conftest import Opsctl

UP = ("env", "up", "--from", "daily", "--name", "pr-1", "--owner", "acme/books run 7")
TELLS = (
    "import os, sys; told = os.environ['OPSCTL_ENVIRONMENT'] + ' ' + os.environ['OPSCTL_STATE'];"
    "open(sys.argv[1], 'w').write(told)"
)


def steps(found: object) -> dict[str, str]:
    """Return the verdict of each step."""
    assert isinstance(found, dict)
    return {step["name"]: step["verdict"] for step in found["steps"]}


def test_it_is_deployed_verified_and_taken_away(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl(*UP, "--output", "json")
    assert done.code == 0
    assert steps(done.json) == {"deploy": "passed", "verify": "passed", "take away": "passed"}
    assert ("start", "data@a") in target.applied
    assert (target.running, target.data) == ({}, set())
    assert records.environment("pr-1") is None
    assert not done.json["left"]
    assert not (opsctl.project / "Pulumi.pr-1.yaml").exists()


def test_the_command_runs_within_and_its_code_is_handed_on(
    opsctl: Opsctl, target: FakeTarget, state: Path
) -> None:
    told = opsctl.project / "told"
    command = f"{TELLS}; raise SystemExit(7)"
    done = opsctl(*UP, "--output", "json", "--", sys.executable, "-c", command, str(told))
    assert (done.code, done.json["exit_code"], done.json["verdict"]) == (7, 7, "failed")
    assert told.read_text() == f"pr-1 {state}"
    assert target.running == {}


def test_kept_it_stands_until_it_is_taken_down(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl(*UP, "--keep", "--output", "json")
    assert (done.code, done.json["left"]) == (0, True)
    assert set(target.running) == {"bus@a", "data@a"}
    standing = records.environment("pr-1")
    assert standing is not None
    assert standing.ephemeral.owner == "acme/books run 7"
    down = opsctl("env", "down", "pr-1", "--output", "json")
    assert (down.code, down.json["environments"][0]["verdict"]) == (0, "removed")
    assert target.running == {}
    again = opsctl("env", "down", "pr-1")
    assert (again.code, again.out.strip()) == (0, "no ephemeral environment is here")


def test_kept_it_still_comes_down_where_a_step_fails(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl(*UP, "--keep", "--", "false")
    assert (done.code, target.running) == (1, {})


def test_a_deploy_that_fails_leaves_nothing_and_says_why(
    opsctl: Opsctl, target: FakeTarget
) -> None:
    target.wanted = (service("bus"), service("data", waits=("bus",), last=FAILS))
    done = opsctl(*UP, "--output", "json", "--", "touch", str(opsctl.project / "ran"))
    assert (done.code, done.json["verdict"]) == (1, "failed")
    assert "data@a exited with 1" in done.json["error"]
    assert "cannot work like this" in done.json["details"]
    assert steps(done.json) == {"deploy": "failed", "take away": "passed"}
    assert not (opsctl.project / "ran").exists()
    assert (target.running, target.data) == ({}, set())


@pytest.fixture
def measured(
    monkeypatch: pytest.MonkeyPatch, target: FakeTarget
) -> Callable[[Literal["passed", "failed"]], None]:
    """Have the tier measured with a verdict."""

    def as_(verdict: Literal["passed", "failed"]) -> None:
        monkeypatch.setattr("opsctl.deploy.means.means", lambda *_: means(target, verdict=verdict))

    return as_


def test_a_tier_that_is_missed_ends_it_before_the_command(
    opsctl: Opsctl,
    target: FakeTarget,
    measured: Callable[[Literal["passed", "failed"]], None],
) -> None:
    measured("failed")
    done = opsctl(*UP, "--output", "json", "--", "touch", str(opsctl.project / "ran"))
    assert (done.code, done.json["verdict"]) == (3, "missed")
    assert not (opsctl.project / "ran").exists()
    assert target.running == {}
    assert opsctl(*UP, "--no-verify").code == 0


def test_its_time_ends_the_command(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl(*UP, "--ttl", "1s", "--output", "json", "--", "sleep", "600")
    assert (done.code, done.json["verdict"]) == (124, "expired")
    assert target.running == {}


def test_summaries_for_ci(
    opsctl: Opsctl, target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, junit = opsctl.project / "page.md", opsctl.project / "junit.xml"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert opsctl(*UP, "--junit", str(junit), "--", "false").code == 1
    text = page.read_text()
    assert text.startswith("before\n## Environment `pr-1`: failed\n")
    assert "| command | failed |" in text
    assert "| p99 |" in text
    suite = parse(junit).getroot()[0]  # noqa: S314 - what we wrote ourselves
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["command"]
    assert suite.get("failures") == "1"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--name", "PR_1"), "can name no environment"),
        (("--name", "daily"), "the name daily is taken, by "),
        (("--ttl", "yesterday"), "is no time to live"),
        (("--ttl", "2020-01-01T00:00:00Z"), "is over before it begins"),
        (("--from", "dayly"), "did you mean daily?"),
        (("--owner", "a\nb"), "would be faulty"),
        (("--set", "live=true"), "trades real money"),
        (("--junit", "/nowhere/junit.xml"), "cannot be written"),
        (("--", "no-such-program"), "there is no program 'no-such-program'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    opsctl: Opsctl, target: FakeTarget, more: tuple[str, ...], said: str
) -> None:
    done = opsctl(*UP, *more)
    assert done.code == 2
    assert said in done.err
    assert target.applied == []
    assert not environment_folder("pr-1").exists()


def test_a_name_that_is_taken_is_refused_and_left_alone(opsctl: Opsctl, target: FakeTarget) -> None:
    assert opsctl(*UP, "--keep").code == 0
    before = dict(target.running)
    other = ("env", "up", "--from", "daily", "--name", "pr-1", "--owner", "somebody")
    done = opsctl(*other, "--", "true")
    assert done.code == 2
    assert "the name pr-1 is taken: an environment of acme/books run 7 until 20" in done.err
    assert target.running == before
    opsctl.write("Pulumi.pr-1.yaml", "config:\n  trading:tier: daily\n  trading:dr: cold\n")
    deploy = opsctl("deploy", "pr-1")
    assert (deploy.code, "is taken" in deploy.err) == (2, True)
    assert target.running == before
