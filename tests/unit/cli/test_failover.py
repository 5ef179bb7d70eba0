"""`opsctl failover` and `failback`: what they say, and when they exit 0.

The handover itself is tested on a real journal in `tests/integration/recovery`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from opsctl import schemas
from opsctl.cli.failover import sentence
from opsctl.recovery import Failover, Refusal
from tests.unit.cli.conftest import DAILY, Opsctl
from tests.unit.deploy.fake import FakeTarget

BEHIND = Refusal(check="behind", reason="b is 900 records [behind]")
UNKNOWN = Refusal(check="clock", reason="no heartbeat", checked=False)


def _moved(**changes: Any) -> Failover:
    as_usual = {
        "environment": "daily",
        "mode": "planned",
        "from_site": "a",
        "to_site": "b",
        "from_epoch": 6,
        "epoch": 7,
        "verdict": "done",
        "handover_ms": 9.4,
        "at": datetime(2026, 1, 31, 14, 30, tzinfo=UTC),
        "by": "alice",
    }
    return Failover.model_validate(as_usual | changes)


REFUSED = {"verdict": "refused", "refusals": (BEHIND,), "handover_ms": None, "epoch": 6}
FAILED = {"verdict": "failed", "detail": "no answer", "handover_ms": None, "epoch": 6}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (_moved(), "daily: b leads epoch 7 after 9.4 ms"),
        (_moved(handover_ms=None), "daily: b leads already"),
        (_moved(**REFUSED), "planned failover to b refused, nothing was moved"),
        (_moved(**FAILED, mode="emergency"), "emergency failover to b failed"),
    ],
)
def test_what_is_said(result: Failover, said: str) -> None:
    assert said in sentence(result)


class Moves:
    """Stands in for the handover and remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[dict[str, Any]] = []
        self.result = _moved()
        monkeypatch.setattr("opsctl.recovery.failover", self)
        monkeypatch.setattr("opsctl.recovery.failback", self)

    def __call__(self, environment: object, target: object, **words: Any) -> Failover:
        self.asked.append(words)
        words["show"](self.result)
        return self.result


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch, opsctl: Opsctl, target: FakeTarget) -> Moves:
    opsctl("deploy", "daily", "--no-verify")
    return Moves(monkeypatch)


@pytest.mark.parametrize(
    ("changes", "code"), [({}, 0), (FAILED, 1), (REFUSED, 3)], ids=["done", "failed", "refused"]
)
@pytest.mark.parametrize("words", [("failover", "--to", "b"), ("failback",)], ids=lambda w: w[0])
def test_the_exit_code_is_the_verdict(
    opsctl: Opsctl, moves: Moves, words: tuple[str, ...], changes: dict[str, Any], code: int
) -> None:
    moves.result = _moved(**changes)
    done = opsctl(words[0], "daily", *words[1:], "--output", "json")
    assert done.code == code
    assert Failover.model_validate(done.json) == moves.result
    jsonschema.validate(done.json, json.loads(schemas.path(words[0]).read_text()))
    assert ("hint:" in done.err) == (code != 0)


def test_planned_is_the_default(opsctl: Opsctl, moves: Moves) -> None:
    for words in ((), ("--planned",), ("--emergency",)):
        opsctl("failover", "daily", "--to", "b", *words)
    assert [m["mode"] for m in moves.asked] == ["planned", "planned", "emergency"]
    assert {m["to"] for m in moves.asked} == {"b"}
    assert all(m["by"] for m in moves.asked)


def test_the_table_has_every_reason(opsctl: Opsctl, moves: Moves) -> None:
    moves.result = _moved(
        mode="emergency", overridden=(BEHIND,), skipped=(UNKNOWN,), notes=("halted by carol",)
    )
    shown = opsctl("failover", "daily", "--to", "b", "--emergency").out
    for said in ("gone past: behind", "[behind]", "not checked: clock", "halted by carol"):
        assert said in shown
    moves.result = _moved(**REFUSED)
    assert "refused: behind" in opsctl("failover", "daily", "--to", "b").out
    moves.result = _moved(**FAILED)
    assert "no answer" in opsctl("failover", "daily", "--to", "b").out


def test_the_site_must_be_named(opsctl: Opsctl, moves: Moves) -> None:
    done = opsctl("failover", "daily")
    assert (done.code, "--to" in done.err) == (2, True)
    assert moves.asked == []


def test_its_help_says_what_the_exit_codes_mean(opsctl: Opsctl) -> None:
    shown = " ".join(opsctl("failover", "--help").out.split())
    assert "3 when a check or the leader refused" in shown


@pytest.mark.parametrize("words", [("failover", "--to", "b"), ("failback",)], ids=lambda w: w[0])
def test_a_live_environment_asks_for_its_name(
    opsctl: Opsctl, target: FakeTarget, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    opsctl.write("Pulumi.daily.yaml", DAILY + "  trading:live: true\n")
    opsctl("deploy", "daily", "--no-verify", "--live", "--yes")
    moves = Moves(monkeypatch)
    command = (words[0], "daily", *words[1:])
    assert opsctl(*command).code == 2
    assert opsctl(*command, "--live").code == 2
    assert opsctl(*command, "--live", typed="wrong\n").code == 2
    assert moves.asked == []
    assert opsctl(*command, "--live", typed="daily\n").code == 0
    assert opsctl(*command, "--live", "--yes").code == 0
    assert len(moves.asked) == 2


@pytest.mark.parametrize("words", [("failover", "--to", "b"), ("failback",)], ids=lambda w: w[0])
def test_what_is_not_deployed_has_nothing_to_move(
    opsctl: Opsctl, target: FakeTarget, words: tuple[str, ...]
) -> None:
    done = opsctl(words[0], "daily", *words[1:])
    assert (done.code, "not deployed" in done.err) == (2, True)
