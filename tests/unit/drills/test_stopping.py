"""The stop condition: what is a reason to stop, and that it ends whatever the drill waits for."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from apps.core.etcd import Unreachable
from apps.core.messages import Decision
from apps.core.records import DecisionTaken, Outcome, Verdict
from opsctl.drills import stopping
from opsctl.drills.accounts import Accounts
from opsctl.drills.stopping import Gaps, Losses, Stopped, Watch
from opsctl.drills.task import Acknowledged
from opsctl.drills.timeline import Timeline
from opsctl.drills.traffic import Traffic

LONG_S = 30.0


def test_a_reason_ends_what_the_drill_waits_for() -> None:
    began = time.monotonic()
    with (
        pytest.raises(Stopped, match="enough"),
        Watch([lambda: "", lambda: "enough"], every_s=0.01),
    ):
        time.sleep(LONG_S)
    assert time.monotonic() - began < LONG_S


def test_a_watch_leaves_nothing_behind() -> None:
    before = signal.getsignal(stopping.BY)
    with Watch([lambda: ""], every_s=0.01):
        pass
    assert signal.getsignal(stopping.BY) is before
    assert "stop-condition" not in {thread.name for thread in threading.enumerate()}


def test_a_guard_that_cannot_look_stops_the_drill() -> None:
    def broken() -> str:
        raise OSError(5, "Input/output error")

    with (
        pytest.raises(Stopped, match="could not be looked at: OSError"),
        Watch([broken], every_s=0.01),
    ):
        time.sleep(LONG_S)


@dataclass
class FakeClient:
    """What a client was told."""

    told: list[Acknowledged] = field(default_factory=list)

    def lines(self) -> list[Acknowledged]:
        return self.told

    def orders(self) -> set[str]:
        return {line.order for line in self.told}


@dataclass
class FakeAccounts:
    """A journal, or why it does not answer."""

    journal: list[Any] | Exception
    asked: list[int] = field(default_factory=list)

    def records(self, after: int) -> list[Any]:
        self.asked.append(after)
        if isinstance(self.journal, Exception):
            raise self.journal
        return self.journal[after:]


def struck(ago_s: float) -> Timeline:
    told = Timeline(lambda _: None)
    told.fault_ns = time.time_ns() - int(ago_s * 1e9) if ago_s else 0
    return told


def client(**ago_s: float) -> Traffic:
    lines = [Acknowledged(o, time.time_ns() - int(s * 1e9), "new") for o, s in ago_s.items()]
    return cast("Traffic", FakeClient(lines))


@pytest.mark.parametrize(
    ("fault_s", "last_s", "stops"),
    [(0, 90.0, False), (20.0, 90.0, False), (70.0, 90.0, True), (70.0, 10.0, False)],
)
def test_acknowledgements_that_stay_away_too_long(
    fault_s: float, last_s: float, stops: bool
) -> None:
    found = Gaps(60.0, client(one=last_s), struck(fault_s))()
    assert found.startswith("no order was acknowledged for 70") is stops
    assert bool(found) is stops


def taken(order: str, *, accepted: bool = True) -> DecisionTaken:
    return DecisionTaken(
        decision=Decision(strategy="d", seq=1, day="", expires_seq=9, intents=()),
        digest="",
        source="1-0",
        outcome=Outcome.ACCEPTED,
        verdicts=(Verdict(intent=order, accepted=accepted),),
        received_ns=0,
    )


def losses(bound: int, accounts: FakeAccounts, fault_s: float = 10.0) -> Losses:
    told = client(one=9, two=9, three=9)
    return Losses(bound, told, cast("Accounts", accounts), 0, struck(fault_s))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "READ_S", 0.0)


@pytest.mark.usefixtures("at_once")
def test_orders_that_the_journal_lacks_beyond_the_bound() -> None:
    accounts = FakeAccounts([taken("one"), taken("two", accepted=False)])
    assert losses(1, accounts)() == ""
    assert losses(0, accounts)() == (
        "1 acknowledged orders are not in the journal, the first is three"
    )


@pytest.mark.usefixtures("at_once")
def test_the_journal_is_read_on_from_where_it_was() -> None:
    accounts = FakeAccounts([taken("one"), taken("two")])
    looks = losses(0, accounts)
    assert "three" in looks()
    assert isinstance(accounts.journal, list)
    accounts.journal.append(taken("three"))
    assert looks() == ""
    assert accounts.asked == [0, 2]


@pytest.mark.usefixtures("at_once")
def test_a_journal_that_does_not_answer_and_a_fault_to_come_tell_of_no_loss() -> None:
    assert losses(0, FakeAccounts(Unreachable("no answer")))() == ""
    accounts = FakeAccounts([])
    assert losses(0, accounts, fault_s=0)() == ""
    assert accounts.asked == []
