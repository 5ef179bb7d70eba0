"""Every drill on two deployed sites: nothing lost, nothing doubled, every account agrees."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import OPSCTL, Deployed
from tests.support.servers import wait_for

# With `series` and the handover of test_drill_guards.py, eight of different mechanism, held for a
# shorter time than in tests/soak/drills.py, which has all.
QUICK = (
    ("leader-freeze", "hold_s=2"),
    ("site-loss-etcd-leader", "hold_s=2"),
    ("one-way-partition", "hold_s=2"),
    ("journal-quorum-loss", "hold_s=2"),
    ("venue-restart", "hold_s=1"),
    ("disk-full", "hold_s=2"),
)


def passed(run: Any, scenario: str) -> None:
    assert run["verdict"] == "passed", run["findings"]
    measured = run["measured"]
    assert measured["orders_acknowledged"] > 100
    assert (measured["orders_lost"], measured["orders_duplicated"]) == (0, 0)
    assert measured["positions_reconciled"]
    assert measured["open_orders_reconciled"]
    assert 0 < measured["rto_ms"] < run["objective"]["rto_s"] * 1_000
    assert run["rolled_back"]
    assert run["rehearsal"], "both sites are on this machine"
    assert f"# Drill {scenario} on intraday: passed" in Path(run["report"]).read_text()


@pytest.mark.parametrize(("scenario", "settings"), [(name, given) for name, *given in QUICK])
def test_a_drill_passes(intraday: Deployed, scenario: str, settings: list[str]) -> None:
    given = [word for setting in settings for word in ("--set", setting)]
    run = intraday.json("drill", "run", scenario, intraday.name, "--rate", "100", *given)
    passed(run, scenario)
    if scenario == "site-loss-etcd-leader":
        moments = [moment["what"] for moment in run["timeline"]]
        assert any(re.fullmatch("the journal's member of [ab] leads", m) for m in moments)


def test_a_series_passes_where_each_of_its_runs_does(series: Any) -> None:
    for run in series["runs"]:
        passed(run, "leader-kill")
    assert series["verdict"] == "passed"
    counts = ("runs", "orders_lost", "orders_duplicated", "unreconciled")
    assert [series["summary"][name] for name in counts] == [2, 0, 0, 0]


def stopped(intraday: Deployed) -> bool:
    """Whether processes are kept down."""
    services = intraday.json("status", intraday.name, check=False)["services"]
    return any(service["state"] == "stopped" for service in services)


def test_the_next_command_mends_what_a_killed_drill_left(intraday: Deployed) -> None:
    note = intraday.state / "environments" / intraday.name / "drill.json"
    drill = subprocess.Popen(
        [OPSCTL, "drill", "run", "site-loss", intraday.name, "--set", "hold_s=600"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPSCTL_STATE": str(intraday.state)},
        start_new_session=True,
    )
    try:
        wait_for(lambda: stopped(intraday), "the blow", 60)
        assert note.exists(), "it was not written down before"
    finally:
        os.killpg(drill.pid, signal.SIGKILL)
        drill.wait()
    said = intraday.run("health", intraday.name, check=False).stderr
    assert "unfinished: drill site-loss did not come to its end" in said
    assert note.exists(), "health changes nothing"
    done = intraday.run("open", intraday.name, "--print", check=False)
    assert "lifted what drill site-loss" in done.stderr
    assert not note.exists()
    lines = intraday.json("evidence", "list", "-e", intraday.name)["lines"]
    last = {line["command"]: line["outcome"] for line in lines}
    assert (last["drill"], last["heal"]) == ("interrupted", "done")
    said = ""

    def healthy() -> bool:
        nonlocal said
        done = intraday.run("health", intraday.name, check=False)
        said = done.stdout
        return done.returncode == 0

    try:
        wait_for(healthy, "health after the mending", 60)
    except TimeoutError as fault:
        fault.add_note(said)
        raise
