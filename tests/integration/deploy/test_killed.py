"""A real `opsctl deploy` is killed at several instants: the next command always goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from opsctl.deploy import records
from opsctl.model.environment import Environment
from opsctl.targets.local import LocalTarget
from tests.integration.deploy.small import services
from tests.support.servers import folder

NAME = "killed"
COMMAND = (sys.executable, "-m", "tests.integration.deploy.small")
PROJECT = {
    "Pulumi.yaml": "name: trading\nruntime: python\n",
    f"Pulumi.{NAME}.yaml": "config:\n  trading:format: 1\n  trading:tier: daily\n"
    "  trading:dr: cold\n",
}
INSTANTS = {
    "planned": r"^plan",
    "while a database is made": r"^preparing +postgres",
    "while servers start": r"^starting",
    "when the first is ready": r"^ready",
}


@dataclass(frozen=True)
class Small:
    """The command line on a state folder and a project of its own."""

    state: Path
    project: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command, its progress in a pipe."""
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPSCTL_STATE": str(self.state)},
        )

    def run(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Run a command to its end; fail where it does not exit with `code`."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{words} exited {process.returncode}\n{out}\n{err}"
        return out, err

    def json(self, *words: str) -> Any:
        """Run a command and return its JSON result."""
        return json.loads(self.run(*words, "--output", "json")[0])

    def signal_at(self, instant: str, number: signal.Signals, *words: str) -> tuple[int, str]:
        """Run a command, signal it at a line of its progress; return its code and the rest."""
        process = self.start(*words)
        assert process.stderr is not None
        for line in process.stderr:
            if re.search(instant, line):
                process.send_signal(number)
                break
        else:
            pytest.fail(f"{words} never said {instant}")
        _, rest = process.communicate(timeout=120)
        return process.returncode, rest

    def environment(self) -> Environment:
        """Return the environment as it stands."""
        found = records.environment(NAME)
        assert found is not None
        return found

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the deployed database."""
        host = LocalTarget(self.environment(), services).host
        at = host.address("postgres", "a", "sql")
        password = Path(host.secret("db")).read_text().strip()
        with psycopg.connect(
            host=at.host, port=at.port, user="trading", dbname="trading", password=password
        ) as connection:
            found = connection.execute(statement)
            return list(found.fetchall()) if found.description else []


@pytest.fixture
def small(state: Path) -> Iterator[Small]:
    with folder() as project:
        for name, text in PROJECT.items():
            (project / name).write_text(text)
        running = Small(state, project)
        try:
            yield running
        finally:
            running.run("destroy", NAME, "--yes")
        assert not _processes(state), "destroy left a process"
        assert not (state / "environments" / NAME).exists()


def _processes(state: Path) -> dict[int, str]:
    """Return the processes that were started for a state folder, however they came to be."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        pid = int(entry.name)
        if str(state).encode() in words and pid != os.getpid():
            found[pid] = words.replace(b"\0", b" ").decode(errors="replace")[:200]
    return found


def _all_run(small: Small) -> None:
    seen = LocalTarget(small.environment(), services).observe()
    assert {s.key for s in seen} == {"postgres@a", "valkey@a", "etcd@a"}
    assert {s.state for s in seen} <= {"running", "starting"}  # supervisord waits a second


@pytest.mark.parametrize("instant", INSTANTS.values(), ids=INSTANTS.keys())
def test_the_next_deploy_goes_on(small: Small, instant: str) -> None:
    code, _ = small.signal_at(instant, signal.SIGKILL, "deploy", NAME, "--no-verify")
    assert code == -signal.SIGKILL
    begun = records.in_progress(NAME)
    small.run("plan", NAME)
    _, err = small.run("deploy", NAME, "--no-verify")
    assert ("did not come to its end; continuing" in err) == (begun is not None)
    _all_run(small)
    small.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    again = small.json("deploy", NAME, "--no-verify")
    assert (again["changed"], again["changes"]) == (False, [])
    assert records.in_progress(NAME) is None
    assert small.sql("SELECT answer FROM kept") == [(42,)]


def test_destroy_removes_what_a_killed_deploy_left(small: Small) -> None:
    small.signal_at(r"^ready", signal.SIGKILL, "deploy", NAME, "--no-verify")
    assert _processes(small.state)
    small.run("destroy", NAME, "--yes")
    assert not _processes(small.state)


def test_a_killed_destroy_is_continued(small: Small) -> None:
    small.run("deploy", NAME, "--no-verify")
    small.signal_at(r"^stopped", signal.SIGKILL, "destroy", NAME, "--yes")
    begun = records.in_progress(NAME)
    assert begun is not None
    assert begun.command == "destroy"
    _, err = small.run("deploy", NAME, "--no-verify")
    assert "the destroy of" in err
    _all_run(small)


def test_ctrl_c_stops_at_a_safe_point_and_the_next_goes_on(small: Small) -> None:
    code, err = small.signal_at(r"^ready", signal.SIGINT, "deploy", NAME, "--no-verify")
    assert code == 1
    assert "stopping at the next safe point" in err
    assert "error: stopped by SIGINT" in err
    small.run("deploy", NAME, "--no-verify")
    _all_run(small)


def test_a_second_opsctl_is_told_who_holds_the_lock(small: Small) -> None:
    first = small.start("deploy", NAME, "--no-verify")
    assert first.stderr is not None
    first.stderr.readline()
    _, err = small.run("destroy", NAME, "--yes", code=1)
    assert f"held by `opsctl deploy {NAME}` (pid {first.pid}" in err
    assert first.communicate(timeout=120)[0]
    assert first.returncode == 0


def test_all_processes_killed_at_once_lose_nothing(small: Small) -> None:
    small.run("deploy", NAME, "--no-verify")
    small.sql("CREATE TABLE kept AS SELECT 42 AS answer")
    for pid in _processes(small.state):
        os.kill(pid, signal.SIGKILL)
    assert len(small.json("plan", NAME)["changes"]) == 3
    small.run("deploy", NAME, "--no-verify")
    _all_run(small)
    assert small.sql("SELECT answer FROM kept") == [(42,)]
