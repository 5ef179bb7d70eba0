"""Every command that names an environment meets what a killed one left in it."""

from __future__ import annotations

import pytest

from opsctl import evidence
from opsctl.evidence import runs
from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget

CHANGING = (
    ("deploy", "daily", "--no-verify"),
    ("rollback", "daily", "--no-verify"),
    ("failover", "daily", "--to", "b"),
    ("failback", "daily"),
    ("drill", "run", "leader-kill", "daily"),
    ("open", "daily", "--print"),
    ("resume", "daily"),
    ("verify", "daily", "--probes", "1"),
    ("destroy", "daily", "--yes"),
)
READING = (("status", "daily"), ("health", "daily"), ("plan", "daily"), ("env", "show", "daily"))


@pytest.fixture
def killed(opsctl: Opsctl, target: FakeTarget) -> str:
    """A run that was killed on the deployed environment; returns its id."""
    assert opsctl("deploy", "daily", "--no-verify").code == 0
    started = runs.describe("failover", "daily", None, {"to": "b"})
    with runs.marked(started):
        pass
    return started.run


@pytest.mark.parametrize("words", CHANGING, ids=lambda words: words[0])
def test_a_command_that_changes_heals_first(
    opsctl: Opsctl, killed: str, words: tuple[str, ...]
) -> None:
    done = opsctl(*words)
    assert f"(run {killed})" in done.err
    assert f"healed: the evidence says that run {killed} was interrupted" in done.err
    lines = evidence.log().read()[1:]
    assert [(line.command, line.outcome) for line in lines[:2]] == [
        ("failover", "interrupted"),
        ("heal", "done"),
    ]
    assert lines[0].run == killed
    assert lines[1].arguments == {"before": words[0]}
    assert "unfinished" not in opsctl("env", "show", "daily").err


@pytest.mark.parametrize("words", READING, ids=lambda words: words[0])
def test_a_command_that_reads_says_what_is_unfinished_and_what_heals_it(
    opsctl: Opsctl, killed: str, words: tuple[str, ...]
) -> None:
    said = opsctl(*words).err
    assert "unfinished: failover of" in said
    assert f"(run {killed})" in said
    assert "healed by: opsctl verify daily, and every command that changes daily" in said
    assert len(evidence.log().read()) == 1, "only the deploy's"


def test_the_kill_switch_waits_for_no_healing(opsctl: Opsctl, killed: str) -> None:
    done = opsctl("halt", "daily")
    assert "unfinished" not in done.err
    assert "heal" not in [line.command for line in evidence.log().read()]
