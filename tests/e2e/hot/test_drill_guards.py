"""What keeps a drill from beginning, and what ends one before its time, on two deployed sites."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from opsctl.drills import underway
from opsctl.drills.underway import Underway
from tests.e2e.conftest import OPSCTL, Deployed
from tests.e2e.hot.test_drills import passed
from tests.support.servers import wait_for
from tests.support.small_disk import small_disk

OWN = """\
format: 2
name: mine
title: The follower freezes for longer than anybody waits
hypothesis: A stop condition ends it.
faults: [{kind: freeze, site: follower, services: [execution], hold_s: 600}]
leadership: stays
recovery: longest-gap
goal: {rto_ms: 1000}
stop: {query: 'vector(1)', for_s: 2}
"""


def note(intraday: Deployed) -> Path:
    return intraday.state / "environments" / intraday.name / "drill.json"


def begun(intraday: Deployed, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start a drill of its own; its JSON comes on stdout."""
    return subprocess.Popen(
        [OPSCTL, "drill", "run", words[0], intraday.name, *words[1:], "--output", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=cwd,
        env={**os.environ, "OPSCTL_STATE": str(intraday.state)},
    )


def ended(drill: subprocess.Popen[str]) -> Any:
    out, err = drill.communicate(timeout=180)
    assert drill.returncode == 3, err
    return json.loads(out)


def test_a_disk_that_runs_full_ends_a_drill_and_another_may_not_begin_beside_it(
    intraday: Deployed,
) -> None:
    runs, kept = intraday.state / "runs", intraday.state / "runs-kept"
    with small_disk(300) as disk:
        runs.rename(kept)
        runs.symlink_to(disk.seen)
        try:
            drill = begun(intraday, "site-loss", "--set", "hold_s=600")
            wait_for(note(intraday).exists, "the faults written down", 90)
            beside = intraday.run(
                "drill", "run", "leader-kill", intraday.name, "--output", "json", check=False
            )
            disk.fill()
            found = ended(drill)
            assert not (Path(found["report"]).parent / ".reserve").exists()
        finally:
            runs.unlink()
            kept.rename(runs)
    (said,) = json.loads(beside.stdout)["findings"]
    assert beside.returncode == 3
    assert said.startswith("intraday is held by `opsctl drill run site-loss intraday` (pid ")
    assert found["verdict"] == "failed"
    why = "; ".join(found["findings"])
    assert found["rolled_back"], why
    assert "stopped before its end: the " in why
    assert found["measured"]["orders_lost"] == 0
    assert not note(intraday).exists()


def test_a_stop_condition_ends_a_drill(intraday: Deployed, tmp_path: Path) -> None:
    own = tmp_path / "site" / "scenarios"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(OWN)
    found = ended(begun(intraday, "mine", cwd=tmp_path))
    assert found["verdict"] == "failed"
    assert found["rolled_back"]
    assert "stopped before its end: vector(1) is 1" in found["findings"]
    assert not note(intraday).exists()
    (own / "mine.yaml").write_text(OWN.replace("vector(1)", "vector("))
    found = ended(begun(intraday, "mine", cwd=tmp_path))
    assert found["verdict"] == "blocked"
    assert "the stop condition's query cannot be asked" in found["findings"][0]


def test_what_an_earlier_drill_left_blocks_the_next_until_it_is_mended(
    intraday: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSCTL_STATE", str(intraday.state))
    # No such link: it cannot be made whole, again and again.
    left = Underway(run="20261129T120000000Z-000000", scenario="site-loss", cut=("nowhere",))
    underway.note(intraday.name, left)
    words = ("drill", "run", "planned-handover", intraday.name, "--rate", "100")
    try:
        found = intraday.json(*words, check=False)
        assert found["verdict"] == "blocked"
        assert "still broken: link nowhere: there is no link nowhere" in found["findings"][0]
        assert note(intraday).exists()
    finally:
        underway.clear(intraday.name)
    passed(intraday.json(*words), "planned-handover")


def test_a_window_counts_once_it_is_deployed_and_restarts_nothing(intraday: Deployed) -> None:
    deploy = ("deploy", intraday.name, "--no-verify")
    day = subprocess.check_output(["date", "-u", "-d", "3 days", "+%a"], text=True).strip().lower()
    made = intraday.json(*deploy, "--set", f'drills={{"window": "{day} 10:00-11:00"}}')
    try:
        assert made["changes"] == []
        found = intraday.json("drill", "run", "leader-kill", intraday.name, check=False)
        assert found["verdict"] == "blocked"
        assert found["findings"][0].startswith(f"outside the window of drills ({day} 10:00-11:00")
    finally:
        intraday.run(*deploy)
