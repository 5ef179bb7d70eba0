from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from opsctl import __version__, evidence
from opsctl.errors import DeployFailed, Interrupted, Locked, ObjectiveMissed, OpsctlError
from opsctl.evidence import Line
from opsctl.evidence.runs import STARTED, who

SLEEPER = """
import sys
from opsctl import evidence
with evidence.recorded(command="deploy", environment="daily", arguments={"n": 1}):
    print("begun", flush=True)
    sys.stdin.read()
"""
WRITER = """
from opsctl import evidence
for n in range(20):
    with evidence.recorded(command="plan", arguments={"n": n}):
        pass
"""


def last() -> Line:
    return evidence.log().read()[-1]


def test_a_line_has_who_when_what_and_its_result(state: Path) -> None:
    with evidence.recorded(
        command="deploy",
        environment="daily",
        identity="0f0f",
        arguments={"verify": True, "password": "hunter2"},
    ) as run:
        assert json.loads((run.folder / STARTED).read_text())["command"] == "deploy"
        run.result = {"changes": 3}
    line = last()
    assert (line.command, line.environment, line.identity) == ("deploy", "daily", "0f0f")
    assert line.arguments == {"verify": True, "password": "***"}
    assert (line.outcome, line.exit_code, line.message) == ("done", 0, "")
    assert line.result == {"changes": 3}
    assert (line.run, line.folder) == (run.id, str(state / "runs" / run.id))
    assert (line.user, line.opsctl) == (who(), __version__)
    assert line.duration_s is not None
    assert re.fullmatch(r"\d{8}T\d{9}Z-[0-9a-f]{6}", run.id)
    raw = json.loads(evidence.log().lines.read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", raw["at"])
    assert sorted(path.name for path in run.folder.iterdir()) == ["debug.log", "run.json"]


@pytest.mark.parametrize(
    ("error", "outcome", "exit_code", "message"),
    [
        (DeployFailed("postgres failed"), "failed", 1, "postgres failed"),
        (ObjectiveMissed("too slow"), "failed", 3, "too slow"),
        (ValueError("bad password=hunter2"), "failed", 1, "ValueError: bad password=***"),
        (KeyboardInterrupt(), "interrupted", 1, "stopped by Ctrl-C"),
        (Interrupted("stopped at 3 of 7"), "interrupted", 1, "stopped at 3 of 7"),
        (typer.Exit(3), "failed", 3, "Exit: 3"),
        (typer.Exit(0), "done", 0, ""),
        (SystemExit(2), "failed", 2, "SystemExit: 2"),
        (SystemExit(None), "done", 0, ""),
        (SystemExit("why"), "failed", 1, "SystemExit: why"),
    ],
)
def test_a_block_that_raises_leaves_its_line_too(
    error: BaseException, outcome: str, exit_code: int, message: str
) -> None:
    with pytest.raises(type(error)), evidence.recorded(command="deploy"):
        raise error
    line = last()
    assert (line.outcome, line.exit_code, line.message) == (outcome, exit_code, message)


def test_an_exit_code_without_an_error() -> None:
    with evidence.recorded(command="verify") as run:
        run.exit_code = 3
    assert (last().outcome, last().exit_code) == ("failed", 3)


def test_the_debug_log_has_everything_and_stderr_what_it_had(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("opsctl.somewhere")
    logging.getLogger("opsctl").setLevel(logging.WARNING)
    with evidence.recorded(command="outer") as outer:
        with evidence.recorded(command="inner") as inner:
            logger.debug("of the inner")
            logger.warning("a warning")
        logger.debug("of the outer")
        with contextlib.suppress(ValueError), evidence.recorded(command="failing") as failing:
            raise ValueError("x")
    text = (outer.folder / "debug.log").read_text()
    assert "of the outer" in text
    assert "ValueError: x" in (failing.folder / "debug.log").read_text()
    assert "of the inner" in (inner.folder / "debug.log").read_text()
    assert [record.getMessage() for record in caplog.records] == ["a warning"]
    logger.debug("after")
    assert "after" not in (outer.folder / "debug.log").read_text()
    assert logging.getLogger("opsctl").level == logging.WARNING
    logging.getLogger("opsctl").setLevel(logging.NOTSET)


def test_a_killed_run_gets_its_line_from_the_next() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with evidence.recorded(command="plan"):
            pass
        assert [line.command for line in evidence.log().read()] == ["plan"], "it still ran"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with evidence.recorded(command="destroy") as run:
        pass
    lines = evidence.log().read()
    assert [(line.command, line.outcome) for line in lines] == [
        ("plan", "done"),
        ("deploy", "interrupted"),
        ("destroy", "done"),
    ]
    assert lines[1].arguments == {"n": 1}
    assert (lines[1].exit_code, lines[1].duration_s) == (None, None)
    assert lines[1].result == {"found_by": run.id}
    with evidence.recorded(command="destroy"):
        pass
    assert len(evidence.log().read()) == 4
    assert evidence.check().verdict == "passed"


def test_a_run_killed_after_its_line_is_not_noted_again() -> None:
    with evidence.recorded(command="deploy") as run:
        started = (run.folder / STARTED).read_bytes()
    (run.folder / STARTED).write_bytes(started)
    with evidence.recorded(command="plan"):
        pass
    assert [line.outcome for line in evidence.log().read()] == ["done", "done"]
    assert not (run.folder / STARTED).exists()


def test_two_that_write_at_once_make_one_chain() -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    checked = evidence.check()
    assert (checked.verdict, checked.lines, checked.findings) == ("passed", 60, ())
    assert all(line.outcome == "done" for line in evidence.log().read())


def test_a_torn_line_is_cut_and_the_chain_goes_on() -> None:
    for _ in range(2):
        with evidence.recorded(command="deploy"):
            pass
    log = evidence.log()
    with log.lines.open("ab") as file:
        file.write(b'{"arguments":{},"at":"2026')
    assert any("torn" in note for note in evidence.check().notes)
    with evidence.recorded(command="destroy"):
        pass
    assert [line.index for line in log.read()] == [0, 1, 2]
    assert evidence.check().verdict == "passed"


def test_a_changed_last_line_stops_no_command_but_is_found() -> None:
    with evidence.recorded(command="deploy"):
        pass
    evidence.log().lines.write_text("nonsense\n")
    with evidence.recorded(command="halt"):
        pass
    assert last().index == 1
    assert [(f.kind, f.line) for f in evidence.check().findings] == [("changed", 0)]


def test_a_newer_log_is_neither_read_nor_written() -> None:
    with evidence.recorded(command="deploy"):
        pass
    lines = evidence.log().lines
    content = json.loads(lines.read_text()) | {"v": 2, "more": 1}
    lines.write_text(json.dumps(content) + "\n")
    with pytest.raises(OpsctlError, match="newer opsctl"):
        evidence.log().read()
    ran = False
    with pytest.raises(OpsctlError, match="newer opsctl"), evidence.recorded(command="deploy"):
        ran = True
    assert not ran


def test_lines_and_folders_are_the_users_own(state: Path) -> None:
    with evidence.recorded(command="deploy") as run:
        pass
    for path in (evidence.log().folder, run.folder):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(evidence.log().lines.stat().st_mode) == 0o600


def test_a_log_that_another_holds_is_not_waited_for_without_end(state: Path) -> None:
    log = evidence.log()
    with log.locked(), pytest.raises(Locked), log.locked(timeout_s=0.05):
        pass


def test_a_state_folder_that_cannot_be_written_is_an_error_before_the_command(
    state: Path,
) -> None:
    (state / "runs").write_text("a file, not a folder")
    ran = False
    with pytest.raises(OpsctlError, match="cannot be written"), evidence.recorded(command="deploy"):
        ran = True
    assert not ran


def test_a_full_disk_after_the_work_is_said(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def full(descriptor: int, content: bytes) -> int:
        if b'"outcome"' in content:
            raise OSError(28, "No space left on device")
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", full)
    with (
        pytest.raises(OpsctlError, match="did its work, but its evidence could not be written"),
        evidence.recorded(command="deploy"),
    ):
        pass
    with pytest.raises(ValueError, match="first") as caught, evidence.recorded(command="deploy"):
        raise ValueError("first")
    assert "No space left" in caught.value.__notes__[0]
    monkeypatch.undo()
    monkeypatch.setenv("OPSCTL_STATE", str(state))
    with evidence.recorded(command="plan"):
        pass
    outcomes = [line.outcome for line in evidence.log().read()]
    assert outcomes == ["interrupted", "interrupted", "done"]


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen here")
def test_the_head_is_signed_and_a_forged_one_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("operator", "mallory"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(words, check=True)
    monkeypatch.setenv("OPSCTL_SSH_KEY", str(tmp_path / "operator"))
    for _ in range(3):
        with evidence.recorded(command="deploy"):
            pass
    trusted = tmp_path / "trusted"
    trusted.write_text(evidence.log().signers.read_text())
    checked = evidence.check(signers=trusted)
    assert (checked.verdict, checked.signature.state, checked.signature.index) == (
        *("passed", "good"),
        2,
    )
    log = evidence.log()
    heads = log.heads.read_text().splitlines()

    # A head whose hash was changed no longer fits its signature.
    forged = json.loads(heads[-1]) | {"hash": "0" * 64}
    log.heads.write_text("\n".join([*heads[:-1], json.dumps(forged)]) + "\n")
    assert ("bad signature", 2) in [(f.kind, f.line) for f in evidence.check().findings]

    # Cut lines are told by the heads.
    log.heads.write_text("\n".join(heads) + "\n")
    lines = log.lines.read_bytes().splitlines(keepends=True)
    log.lines.write_bytes(b"".join(lines[:1]))
    assert [(f.kind, f.line) for f in evidence.check().findings] == [("cut", 1)]
    log.lines.write_bytes(b"".join(lines))

    # Somebody else's key counts where the log says so, but not where the trusted file does.
    monkeypatch.setenv("OPSCTL_SSH_KEY", str(tmp_path / "mallory"))
    with evidence.recorded(command="destroy"):
        pass
    assert evidence.check().verdict == "passed"
    found = evidence.check(signers=trusted)
    assert [(f.kind, f.line) for f in found.findings] == [("bad signature", 3)]


def test_without_signature_and_anchor_it_says_so() -> None:
    assert evidence.check().notes == ("nothing is recorded yet",)
    with evidence.recorded(command="deploy"):
        pass
    checked = evidence.check()
    assert checked.verdict == "passed"
    assert (checked.signature.state, checked.anchor.state) == ("none", "none")
    assert any("not signed" in note for note in checked.notes)
    assert any("no anchor" in note for note in checked.notes)


def test_who_became_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "alice")
    assert who() == "alice as root"
    monkeypatch.delenv("SUDO_USER")
    assert who() == "root"
