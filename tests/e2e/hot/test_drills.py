"""Every drill on two deployed sites: nothing lost, nothing doubled, every account agrees."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import OPSCTL, Deployed
from tests.support.servers import wait_for

# The soak freezes for the 30 s of the scenario (tests/soak/drills.py); the suite has less time.
QUICK = (
    ("leader-kill",),
    ("leader-freeze", "hold_s=2"),
    ("site-loss", "hold_s=2", "etcd_leader=true"),
    ("site-loss", "hold_s=2", "etcd_leader=false"),
    ("planned-handover",),
    ("partition-sites", "hold_s=2"),
)


@pytest.mark.parametrize(("scenario", "settings"), [(name, given) for name, *given in QUICK])
def test_a_drill_passes_twice(intraday: Deployed, scenario: str, settings: list[str]) -> None:
    words = ("drill", "run", scenario, intraday.name, "--repeat", "2", "--rate", "100")
    given = [word for setting in settings for word in ("--set", setting)]
    found = intraday.json(*words, *given)
    assert found["verdict"] == "passed", [run["findings"] for run in found["runs"]]
    whole = found["summary"]
    assert whole["orders_acknowledged"] > 200
    assert (whole["orders_lost"], whole["orders_duplicated"], whole["unreconciled"]) == (0, 0, 0)
    for run in found["runs"]:
        assert 0 < run["measured"]["rto_ms"] < run["objective"]["rto_s"] * 1_000
        assert run["rolled_back"]
        assert run["rehearsal"], "both sites are on this machine"
        if scenario == "site-loss":
            member = "a" if "etcd_leader=true" in settings else "b"
            moments = [moment["what"] for moment in run["timeline"]]
            assert f"the journal's member of {member} leads" in moments
        assert f"# Drill {scenario} on intraday: passed" in Path(run["report"]).read_text()


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
        wait_for(note.exists, "the faults written down", 60)
        time.sleep(1)
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
    wait_for(
        lambda: intraday.run("health", intraday.name, check=False).returncode == 0,
        "health after the mending",
        60,
    )
