"""A real `opsctl failover` is stopped between its request and the leader's answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from apps.core.sites import Handover
from opsctl import evidence
from tests.integration.recovery.command import described
from tests.integration.recovery.fake_execution import execution, look, write
from tests.support.servers import EtcdServer, etcd, wait_for


@pytest.fixture(scope="module")
def server() -> Iterator[EtcdServer]:
    with etcd() as running:
        yield running


class Command:
    """Starts commands on one server."""

    def __init__(self, server: EtcdServer, state: Path) -> None:
        self._server = state / "server.json"
        self._server.write_text(described(server))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command, its output in pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.recovery.command", self._server, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command to its end; return its code and what it said."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def signal_after_asking(
        self, number: signal.Signals, once: Callable[[], bool], *words: str
    ) -> tuple[int, str]:
        """Run a command, signal it once it has asked and `once` says so.

        Returns its exit code and the rest of what it said.
        """
        with self.start(*words) as process:
            try:
                return self._signalled(process, number, once)
            finally:
                process.kill()

    def _signalled(
        self, process: subprocess.Popen[str], number: signal.Signals, once: Callable[[], bool]
    ) -> tuple[int, str]:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("asking the leader"), said + process.stderr.read()
        wait_for(once, "the moment of the signal")
        process.send_signal(number)
        _, rest = process.communicate(timeout=60)
        return process.returncode, rest


def _asked(server: EtcdServer, name: str) -> bool:
    return look(server, name).handover is not None


def _epoch(server: EtcdServer, name: str) -> int:
    leader = look(server, name).leader
    return leader.epoch if leader else 0


def test_a_killed_failover_is_healed_by_the_next(server: EtcdServer, state: Path) -> None:
    command = Command(server, state)
    with execution(server, "killed") as fake:
        fake.answer = "ignore"
        code, _ = command.signal_after_asking(
            signal.SIGKILL, lambda: _asked(server, "killed"), "failover", "killed", "--to", "b"
        )
        assert code == -signal.SIGKILL
        left = look(server, "killed").handover
        assert left is not None
        fake.answer = "grant"
        # While its opsctl could still be waiting, nobody takes the request away; the leader
        # may grant it, as it would have without the kill.
        wait_for(lambda: look(server, "killed").handover is None, "the granted handover")
        seen = look(server, "killed")
        assert seen.leader is not None
        assert (seen.leader.site, seen.leader.epoch) == ("b", 2)
        code, out, err = command.run("failback", "killed", "--output", "json")
    assert code == 0, err
    assert (json.loads(out)["verdict"], json.loads(out)["epoch"]) == ("done", 3)
    lines = evidence.log().read()
    assert [(line.command, line.outcome) for line in lines] == [
        ("failover", "interrupted"),
        ("heal", "done"),
        ("failback", "done"),
    ]


def test_what_a_killed_failover_left_unanswered_is_removed(server: EtcdServer, state: Path) -> None:
    command = Command(server, state)
    with execution(server, "left") as fake:
        fake.answer = "ignore"
        command.signal_after_asking(
            signal.SIGKILL, lambda: _asked(server, "left"), "failover", "left", "--to", "b"
        )
        left = look(server, "left").handover
        assert left is not None
        fake.answer = "grant"
        fake.ignores.add(left.id)
        # Its run is known to be dead on this machine: nobody waits until it is old.
        code, out, err = command.run("failover", "left", "--to", "b")
    assert code == 0, err
    assert "b leads epoch 2 after" in out
    assert f"unfinished: failover of {_day(left)}" in err
    assert "healed: removed a request of" in err
    assert "left unanswered" in err
    killed, healed, moved = evidence.log().read()
    assert (killed.run, killed.command, killed.outcome) == (left.id, "failover", "interrupted")
    assert (healed.command, healed.arguments) == ("heal", {"before": "failover"})
    assert healed.result["runs"] == [killed.run]
    assert (moved.command, moved.outcome) == ("failover", "done")


def _day(asked: Handover) -> str:
    return datetime.fromtimestamp(asked.at_ns / 1e9, UTC).date().isoformat()


def test_the_request_of_another_machine_is_removed_when_nobody_can_wait_for_it(
    server: EtcdServer, state: Path
) -> None:
    command = Command(server, state)
    with execution(server, "far") as fake:
        fake.answer = "ignore"
        theirs = Handover(id="theirs", to="b", epoch=1, by="bob", at_ns=time.time_ns())
        write(server, "far", "handover", theirs)
        code, out, _ = command.run("failover", "far", "--to", "b", "-o", "json")
        assert code == 3
        assert [r["check"] for r in json.loads(out)["refusals"]] == ["handover"]
        old = msgspec.structs.replace(theirs, at_ns=theirs.at_ns - 11_000_000_000)
        write(server, "far", "handover", old)
        code, _, err = command.run("resume", "far", "-o", "json")
        assert "healed: removed a request of" in err
        assert look(server, "far").handover is None


@pytest.mark.parametrize("words", [("resume",), ("open", "--print"), ("verify", "--probes", "1")])
def test_any_other_command_heals_a_killed_failover(
    server: EtcdServer, state: Path, words: tuple[str, ...]
) -> None:
    command, name = Command(server, state), f"killed-{words[0]}"
    with execution(server, name) as fake:
        fake.answer = "ignore"
        command.signal_after_asking(
            signal.SIGKILL, lambda: _asked(server, name), "failover", name, "--to", "b"
        )
        _, _, said = command.run("status", name)
        assert "unfinished: failover of" in said
        assert f"healed by: opsctl verify {name}, and every command that changes {name}" in said
        assert look(server, name).handover is not None, "status changes nothing"
        assert evidence.log().read() == []
        command.run("halt", name)
        assert look(server, name).handover is not None, "a halt waits for nothing"
        # What the command itself does on this stage, which has no desk and no apps, is not asked.
        _, _, err = command.run(words[0], name, *words[1:])
        assert "healed: removed a request of" in err
        assert look(server, name).handover is None
        _, _, said = command.run("status", name)
    assert "unfinished" not in said
    lines = [(line.command, line.outcome) for line in evidence.log().read()]
    assert ("failover", "interrupted") in lines
    assert ("heal", "done") in lines


def test_ctrl_c_withdraws_the_request(server: EtcdServer, state: Path) -> None:
    with execution(server, "stopped") as fake:
        fake.answer = "ignore"
        code, err = Command(server, state).signal_after_asking(
            signal.SIGINT, lambda: _asked(server, "stopped"), "failover", "stopped", "--to", "b"
        )
        seen = look(server, "stopped")
    assert code == 1
    assert "stopped by Ctrl-C: the request is withdrawn" in err
    assert (seen.handover, seen.leader and seen.leader.epoch) == (None, 1)
    (line,) = evidence.log().read()
    assert (line.command, line.outcome) == ("failover", "interrupted")


def test_ctrl_c_says_where_the_handover_had_happened(server: EtcdServer, state: Path) -> None:
    with execution(server, "named") as fake:
        fake.mute.add("b")
        code, err = Command(server, state).signal_after_asking(
            signal.SIGINT,
            lambda: _epoch(server, "named") == 2,
            *("failover", "named", "--to", "b"),
        )
    assert code == 1
    assert "the handover had happened, b leads epoch 2" in err
