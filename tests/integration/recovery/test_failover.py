"""Failover and failback on a real journal, with the sites' apps played by a thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.core.journal import Halt
from apps.core.sites import Handover
from opsctl import evidence
from opsctl.errors import UsageError
from opsctl.recovery import Failover, failback, failover
from opsctl.recovery import planned as planned_module
from opsctl.recovery.outcome import Mode
from tests.integration.recovery.environment import hot, target
from tests.integration.recovery.fake_execution import execution, look, owner, write
from tests.support.servers import EtcdServer, etcd
from tests.unit.deploy.fake import FakeTarget, environment


@pytest.fixture(scope="module")
def server() -> Iterator[EtcdServer]:
    with etcd() as running:
        yield running


def _move(
    at: FakeTarget, name: str, to: str = "b", mode: Mode = "planned", said: list[str] | None = None
) -> Failover:
    shown: list[Failover] = []
    lines: list[str] = [] if said is None else said
    result = failover(
        hot(name), at, to=to, mode=mode, by="alice@desk", show=shown.append, say=lines.append
    )
    assert shown == [result]
    return result


def _back(at: FakeTarget, name: str) -> Failover:
    return failback(hot(name), at, by="alice@desk", show=lambda _: None, say=lambda _: None)


def test_there_and_back_again(server: EtcdServer, state: Path) -> None:
    at, said = target(server, state), list[str]()
    with execution(server, "planned") as fake:
        there = _move(at, "planned", said=said)
        assert look(server, "planned").handover is None
        back = _back(at, "planned")
        stays = _back(at, "planned")
    assert (there.verdict, there.from_site, there.to_site) == ("done", "a", "b")
    assert (there.from_epoch, there.epoch, there.refusals) == (1, 2, ())
    assert there.handover_ms is not None
    assert said == ["asking the leader of epoch 1 to hand over to b"]
    assert (back.verdict, back.from_site, back.to_site, back.epoch) == ("done", "b", "a", 3)
    assert (stays.verdict, stays.epoch, stays.handover_ms) == ("done", 3, None)
    assert stays.notes == ("a leads already, in epoch 3",)
    assert len(fake.asked) == 2
    lines = evidence.log().read()
    assert [(line.command, line.outcome) for line in lines] == [
        ("failover", "done"),
        ("failback", "done"),
        ("failback", "done"),
    ]
    assert lines[0].arguments == {"to": "b", "mode": "planned"}
    assert lines[0].result["handover_ms"] == there.handover_ms


def test_every_reason_is_given_and_nothing_is_asked(server: EtcdServer, state: Path) -> None:
    at = target(server, state, away=("witness",))
    with execution(server, "refused") as fake:
        fake.says["b"] = {"session_up": False, "fault": "no market data", "release": "0.0.9"}
        fake.ahead_ns["b"] = 3_000_000_000
        write(server, "refused", "tail", 700)
        fake.says["b"]["index"] = 12
        result = _move(at, "refused")
    assert (result.verdict, result.epoch, result.handover_ms) == ("refused", 1, None)
    assert [r.check for r in result.refusals] == [
        "session",
        "fault",
        "behind",
        "clock",
        "members",
        "release",
    ]
    assert fake.asked == []
    (line,) = evidence.log().read()
    assert (line.outcome, line.exit_code) == ("failed", 3)


@pytest.mark.parametrize(
    ("silent", "check"), [("b", "presence"), ("a", "leader")], ids=["successor", "leader"]
)
def test_a_site_that_writes_nothing_is_found(
    server: EtcdServer, state: Path, silent: str, check: str
) -> None:
    with execution(server, f"silent-{silent}") as fake:
        fake.silent.add(silent)
        result = _move(target(server, state), f"silent-{silent}")
    assert [r.check for r in result.refusals] == [check]


def test_nobody_leads(server: EtcdServer, state: Path) -> None:
    with execution(server, "leaderless", leader=None):
        result = _move(target(server, state), "leaderless")
        assert [r.check for r in result.refusals] == ["leader"]
        assert (result.from_site, result.epoch) == (None, None)
        first = _move(target(server, state), "leaderless", "a", "emergency")
    assert (first.verdict, first.from_epoch, first.epoch) == ("done", None, 1)


def test_the_leader_refuses(server: EtcdServer, state: Path) -> None:
    with execution(server, "unwilling") as fake:
        fake.answer = "refuse"
        result = _move(target(server, state), "unwilling")
        seen = look(server, "unwilling")
    assert (result.verdict, result.epoch) == ("refused", 1)
    assert [(r.check, r.reason) for r in result.refusals] == [("leader", "an order is in doubt")]
    assert (seen.handover, len(fake.asked)) == (None, 1)


def test_a_leader_that_does_not_answer_is_asked_no_longer(
    server: EtcdServer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_module, "PATIENCE_S", 0.3)
    with execution(server, "deaf") as fake:
        fake.answer = "ignore"
        result = _move(target(server, state), "deaf")
        seen = look(server, "deaf")
    assert (result.verdict, result.epoch) == ("failed", 1)
    assert "the request is withdrawn" in result.detail
    assert (seen.handover, len(fake.asked)) == (None, 1)
    (line,) = evidence.log().read()
    assert (line.outcome, line.exit_code) == ("failed", 1)


def test_a_successor_that_does_not_take_over_is_reported(
    server: EtcdServer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_module, "PATIENCE_S", 0.3)
    with execution(server, "mute") as fake:
        # It falls silent when it is asked about, after all checks have passed.
        said: list[str] = []

        def say(text: str) -> None:
            said.append(text)

        fake.answer = "ignore"

        def fall_silent(text: str) -> None:
            fake.silent.add("b")
            fake.answer = "grant"
            say(text)

        result = failover(
            hot("mute"),
            target(server, state),
            to="b",
            mode="planned",
            by="alice",
            show=lambda _: None,
            say=fall_silent,
        )
    assert said
    assert (result.verdict, result.epoch) == ("failed", 2)
    assert "named leader and sends no heartbeat" in result.detail


def test_a_request_under_way_is_let_be_and_one_left_behind_is_removed(
    server: EtcdServer, state: Path
) -> None:
    at = target(server, state)
    with execution(server, "busy") as fake:
        fake.answer = "ignore"
        mine = Handover(id="x", to="b", epoch=1, by="bob@desk", at_ns=time.time_ns())
        write(server, "busy", "handover", mine)
        result = _move(at, "busy")
        assert [r.check for r in result.refusals] == ["handover"]
        assert look(server, "busy").handover == mine
        old = Handover(id="y", to="b", epoch=1, by="bob@desk", at_ns=time.time_ns() - 11 * 10**9)
        write(server, "busy", "handover", old)
        fake.answer = "refuse"
        result = _move(at, "busy")
    assert "removed a request of" in result.notes[0]
    assert "bob@desk" in result.notes[0]
    assert result.verdict == "refused"


def test_a_kill_switch_is_said_and_is_no_reason(server: EtcdServer, state: Path) -> None:
    with execution(server, "halted"):
        write(server, "halted", "kill", Halt(at_ns=1, by="carol", reason="runaway"))
        result = _move(target(server, state), "halted")
    assert result.verdict == "done"
    assert result.notes == ("halted by carol: b will send nothing either",)


def test_an_emergency_takes_over_from_a_frozen_leader(server: EtcdServer, state: Path) -> None:
    with execution(server, "frozen") as fake:
        fake.silent.add("a")
        fake.says["b"] = {"session_up": False}
        left = Handover(id="x", to="b", epoch=1, by="bob", at_ns=time.time_ns())
        write(server, "frozen", "handover", left)
        at = target(server, state, away=("a",))
        result = _move(at, "frozen", mode="emergency")
        seen = look(server, "frozen")
        again = _move(at, "frozen", mode="emergency")
    assert (result.verdict, result.from_epoch, result.epoch) == ("done", 1, 2)
    assert result.handover_ms is not None
    assert [r.check for r in result.overridden] == ["session", "members", "handover"]
    assert {r.check for r in result.skipped} == {"leader", "clock"}
    assert seen.leader is not None
    assert (seen.leader.owner, seen.handover) == (owner("b"), None)
    assert [r.check for r in again.refusals] == ["already"]


@pytest.mark.parametrize("known", [True, False], ids=["silent", "never seen"])
def test_an_emergency_names_nobody_who_is_not_there(
    server: EtcdServer, state: Path, known: bool
) -> None:
    name = f"absent-{known}".lower()
    with execution(server, name) as fake:
        fake.silent.add("b")
        if not known:
            write(server, name, "site/b", None)
        result = _move(target(server, state), name, mode="emergency")
        assert look(server, name).leader_mod > 0
    assert (result.verdict, result.epoch) == ("refused", 1)
    assert [r.check for r in result.refusals] == ["presence"]


@pytest.mark.parametrize("mode", ["planned", "emergency"])
def test_without_quorum_nothing_is_moved(
    state: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.setattr("opsctl.recovery.healing.QUORUM_S", 0.3)
    with etcd() as gone:
        at = target(gone, state)
        gone.process.stop()
        result = _move(at, "gone", mode=mode)
    assert (result.verdict, result.epoch) == ("refused", None)
    assert [r.check for r in result.refusals] == ["quorum"]


def test_one_site_has_nobody_to_take_over(server: EtcdServer, state: Path) -> None:
    common: dict[str, Any] = {"by": "a", "show": lambda _: None, "say": lambda _: None}
    at = target(server, state)
    for result in (
        failover(environment("cold"), at, to="b", mode="planned", **common),
        failback(environment("cold"), at, **common),
    ):
        assert [r.check for r in result.refusals] == ["sites"]


@pytest.mark.parametrize(
    ("to", "why"), [("c", "has no site c"), ("witness", "the witness only votes")]
)
def test_a_site_that_cannot_lead_is_a_mistake(
    server: EtcdServer, state: Path, to: str, why: str
) -> None:
    with pytest.raises(UsageError, match=why) as mistake:
        _move(target(server, state), "any", to)
    assert mistake.value.hint == "its sites are a and b"
