"""Seeds: a share of them on every run, the same twice, and a failure made short and told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest

from opsctl import schemas
from opsctl.drills.simulator import record, replay, simulate
from opsctl.drills.simulator.plan import Plan, drawn
from opsctl.drills.simulator.record import Counted, Record
from opsctl.drills.simulator.running import run
from opsctl.drills.simulator.simulating import failure
from opsctl.errors import UsageError
from tests.support.servers import wait_for
from tests.unit.drills.simulator.mutations import planted
from tests.unit.drills.simulator.test_mutations import FOUND

SHARE = 300


def test_a_share_of_the_seeds_holds(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    record = tmp_path / "record.jsonl"
    found = simulate(0, SHARE, told=lambda *now: told.append(now), record=record)
    assert found.verdict == "passed", found.failures
    assert (found.first, found.last, found.runs) == (0, SHARE - 1, SHARE)
    assert found.takeovers > SHARE / 10
    assert found.orders_accepted > SHARE
    assert told[-1] == (SHARE, 0)
    again = simulate(0, SHARE, told=lambda *_: pytest.fail("was run already"), record=record)
    assert (again.runs, again.takeovers) == (found.runs, found.takeovers)
    jsonschema.validate(json.loads(found.model_dump_json()), schemas.schema("drill-simulate"))


@pytest.mark.parametrize("seed", range(0, 60, 7))
def test_a_seed_is_one_history(seed: int) -> None:
    assert run(drawn(seed)) == run(drawn(seed))


def test_a_failure_is_made_short_told_and_replayed(tmp_path: Path) -> None:
    seed = FOUND["send_before_append"]
    with planted("send_before_append"):
        found = failure(drawn(seed))
        assert found.violation
        short = msgspec.convert(found.plan, Plan)
        whole = drawn(seed)
        assert len(short.faults) <= len(whole.faults)
        assert len(short.decisions) < len(whole.decisions)
        assert any("accepted" in line for line in found.timeline)
        file = tmp_path / "plan.json"
        file.write_bytes(msgspec.json.encode(found.plan))
        assert replay(file).failures[0].violation == found.violation
    assert replay(file).verdict == "passed"


def test_a_file_that_holds_no_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(UsageError, match="holds no plan"):
        replay(tmp_path / "plan.json")


def test_a_file_that_is_no_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"kind": "accept"}\n')
    with pytest.raises(UsageError, match="no record of a simulation"):
        simulate(0, 1, told=lambda *_: None, record=tmp_path / "other.jsonl")


def test_a_record_of_other_code_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "record.jsonl"
    Record(file)
    monkeypatch.setattr(record, "code", lambda: "other")
    with pytest.raises(UsageError, match="made by other code"):
        Record(file)


def test_a_torn_record_goes_on_from_its_last_whole_line(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    some = Counted(first=0, runs=50, seconds=1.0, takeovers=2, accepted=3)
    Record(file).add(some)
    whole = file.read_bytes()
    file.write_bytes(whole + whole.splitlines()[1][:20])
    assert Record(file).known == {(0, 50): some}
    assert file.read_bytes() == whole


@pytest.mark.parametrize("file", ["apps/execution/settle.py", "apps/core/leader.py"])
def test_the_digest_is_of_every_file_that_a_run_depends_on(tmp_path: Path, file: str) -> None:
    for folder in record.SIMULATED:
        shutil.copytree(record.ROOT / folder, tmp_path / folder)
    assert record.code(tmp_path) == record.code()
    (tmp_path / file).write_text("")
    record.code.cache_clear()
    assert record.code(tmp_path) != record.code()


def test_a_killed_command_leaves_no_process_behind(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    opsctl = Path(sys.executable).with_name("opsctl")
    running = subprocess.Popen(
        [opsctl, "drill", "simulate", "--seeds", "100000", "--record", record],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _lines(record) > 1, "the first seeds", timeout_s=60)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert len(children) > 1
    finally:
        running.kill()
        running.wait()
    wait_for(lambda: not any(map(_alive, children)), "the end of its workers")


def _lines(file: Path) -> int:
    return len(file.read_bytes().splitlines()) if file.exists() else 0


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
