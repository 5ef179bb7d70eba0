"""When each fault of a drill strikes and ends, what is noted before, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from apps.core.etcd import Unreachable
from apps.core.journal import Leadership
from opsctl.drills import striking, underway
from opsctl.drills.accounts import Accounts
from opsctl.drills.begin import Blocked
from opsctl.drills.effects import Disturbed, Effect, Places
from opsctl.drills.reading import read
from opsctl.drills.scenario import Scenario
from opsctl.drills.striking import ASKED, Striking
from opsctl.drills.timeline import Timeline
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.model.topology import links

ENVIRONMENT = Environment.model_validate(
    {"name": "drilled", "tier": LatencyTier.INTRADAY, "dr": DrTier.HOT}
)
LEADER = Leadership(epoch=3, owner="a/1", site="a", at_ns=0)
CUT, WHOLE = Disturbed(cut=True), Disturbed()
BETWEEN = [link.name for link in links(ENVIRONMENT) if {link.dialer, link.to} == {"a", "b"}]


@dataclass
class FakeClock:
    """Time that passes by being slept."""

    now_s: float = 100.0
    trades_from_s: float = float("inf")
    """From when on an order is acknowledged every tenth of a second."""

    def monotonic(self) -> float:
        return self.now_s

    def acknowledged(self) -> int:
        return int(max(0.0, self.now_s - self.trades_from_s) * 10)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class FakeFaults:
    """Remembers what was broken and mended, and when."""

    clock: FakeClock
    refused: str = ""
    stuck: str = ""
    did: list[tuple[float, str, Any]] = field(default_factory=list)

    def _did(self, what: str, on: Any) -> None:
        noted = underway.read(ENVIRONMENT.name)
        assert noted is not None, "it was not written down before"
        self.did.append((round(self.clock.now_s, 3), what, on))

    def places(self, roles: Mapping[str, str]) -> Places:
        services = [(n, s) for s in ("a", "b") for n in ("execution", "etcd", "postgres")]
        return Places(services, links(ENVIRONMENT), roles)

    def refusals(self, effects: Sequence[Effect]) -> Iterator[str]:
        yield from [self.refused] if self.refused else []

    def aimed(self, effect: Effect, states: Mapping[str, Disturbed]) -> Callable[[], None]:
        return lambda: self._did("strike", (effect.said, dict(states)))

    def disturb(self, states: Mapping[str, Disturbed]) -> None:
        if states:
            self._did("disturb", dict(states))

    def lift(self, gone: Underway) -> None:
        if self.stuck:
            raise OpsctlError(f"still broken: {self.stuck}")
        self._did("lift", gone)


@dataclass
class FakeAccounts:
    """An environment of two sites, and who leads it."""

    leader: Leadership | Exception | None = LEADER
    target: None = None
    environment: Environment = ENVIRONMENT

    def overview(self) -> FakeAccounts:
        if isinstance(self.leader, Exception):
            raise self.leader
        return self


@dataclass
class Struck:
    """A drill's faults on a world of fakes."""

    striking: Striking
    faults: FakeFaults
    accounts: FakeAccounts
    clock: FakeClock
    heard: list[str]
    told: Timeline

    def at(self, what: str) -> list[float]:
        """Return when it was done, in seconds from the first blow."""
        began = next(at for at, did, _ in self.faults.did if did == "strike")
        return [round(at - began, 3) for at, did, _ in self.faults.did if did == what]


@pytest.fixture
def struck(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Struck:
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path))
    underway.path(ENVIRONMENT.name).parent.mkdir(parents=True)
    clock = FakeClock()
    faults, accounts = FakeFaults(clock), FakeAccounts()
    heard: list[str] = []
    monkeypatch.setattr(striking, "time", clock)
    monkeypatch.setattr(striking, "Faults", lambda *_: faults)
    monkeypatch.setattr(striking, "unsteady", lambda *_: [])
    monkeypatch.setattr(striking, "MEND_S", 0.0)
    told = Timeline(heard.append)
    made = Striking(cast("Accounts", accounts), Underway(run="R", scenario="s"), FakeMover(0), told)
    return Struck(made, faults, accounts, clock, heard, told)


def scenario(*faults: str, leadership: str = "may-move") -> Scenario:
    steps = "".join(f"  - {each}\n" for each in faults)
    text = (
        f"format: 2\nname: mine\ntitle: t\nhypothesis: h\nfaults:\n{steps}"
        f"leadership: {leadership}\ngoal:\n  rto_ms: 100\n"
    )
    found = read(Scenario, text, {}, where="mine.yaml")
    assert found.value is not None, found.faults
    return found.value


def run(struck: Struck, made: Scenario) -> None:
    struck.striking.prepare(made, LEADER, struck.clock.acknowledged)
    assert underway.read(ENVIRONMENT.name) is None, "nothing is broken yet"
    struck.striking.strike()
    struck.striking.finish()


KILL = "{kind: kill, site: leader, services: [execution]}"
FREEZE = "{kind: freeze, site: leader, services: [execution], hold_s: 4}"


def test_a_blow_falls_after_a_hush_and_what_may_stand_was_noted(struck: Struck) -> None:
    run(struck, scenario(FREEZE))
    at, what, on = struck.faults.did[0]
    assert (at, what) == (100.0 + striking.HUSH_S, "strike")
    assert on == ("SIGSTOP of execution@a", {})
    noted = underway.read(ENVIRONMENT.name)
    assert noted is not None
    assert (noted.run, noted.frozen) == ("R", ("execution@a",))


def test_faults_end_each_at_its_time_and_alone(struck: Struck) -> None:
    later = "{kind: lose, site: follower, services: [etcd], hold_s: 1, after_s: 2}"
    run(struck, scenario(FREEZE, later))
    assert struck.at("strike") == [0.0, 2.0]
    assert struck.at("lift") == [3.0, 4.0]
    lost, frozen = (on for _, what, on in struck.faults.did if what == "lift")
    assert (lost.down, lost.frozen) == (("etcd@b",), ())
    assert (frozen.down, frozen.frozen) == ((), ("execution@a",))


def test_a_fault_that_comes_and_goes_is_told_once_and_lifted_every_time(struck: Struck) -> None:
    run(
        struck,
        scenario("{kind: cut, between: [a, b], hold_s: 0.4, times: 3, every_s: 1}"),
    )
    assert struck.at("strike") == [0.0, 1.0, 2.0]
    assert struck.at("lift") == [0.4, 1.4, 2.4]
    assert len([text for text in struck.heard if "are cut" in text]) == 2, struck.heard
    assert sum(text.startswith("lifted") for text in struck.heard) == 1


def test_a_link_under_two_faults_keeps_the_one_that_still_stands(struck: Struck) -> None:
    cut = "{kind: cut, between: [a, b], hold_s: 1}"
    late = "{kind: delay, between: [a, b], delay_ms: 20, hold_s: 3, after_s: 0.5}"
    run(struck, scenario(cut, late))
    strikes = [on for _, what, on in struck.faults.did if what == "strike"]
    assert strikes[1][1] == {name: Disturbed(cut=True, delay_ms=20) for name in BETWEEN}
    first, last = (on for _, what, on in struck.faults.did if what == "lift")
    assert first.cut == (), "the links are still disturbed"
    after = [on for _, what, on in struck.faults.did if what == "disturb"]
    assert after == [{name: Disturbed(delay_ms=20) for name in BETWEEN}]
    assert set(last.cut) == set(BETWEEN)


def test_a_fault_without_an_end_is_over_when_it_has_struck(struck: Struck) -> None:
    run(struck, scenario(KILL))
    assert struck.at("lift") == []
    assert struck.told.lifted_ns >= struck.told.fault_ns > 0


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("{kind: kill, site: leader, services: [venue]}", "not applicable here: a has no venue"),
        ("{kind: kill, site: mars, services: [etcd]}", "the environment has no place mars"),
    ],
)
def test_what_the_environment_lacks_blocks_the_drill(struck: Struck, fault: str, says: str) -> None:
    with pytest.raises(Blocked, match=says):
        struck.striking.prepare(scenario(fault), LEADER, lambda: 0)
    assert underway.read(ENVIRONMENT.name) is None


def test_what_the_target_cannot_do_blocks_the_drill(struck: Struck) -> None:
    struck.faults.refused = "not applicable here: no libfaketime"
    with pytest.raises(Blocked, match="no libfaketime"):
        struck.striking.prepare(scenario(KILL), LEADER, lambda: 0)


def back(struck: Struck, to: str = "a") -> tuple[str, list[str]]:
    """Roll back; return why not, and that room was made before leadership moved."""
    order: list[str] = []
    struck.striking._mover = cast("striking.Mover", lambda to, emergency: order.append(f"to {to}"))
    return struck.striking.roll_back(to, lambda: order.append("room")), order


def test_rollback_lifts_all_that_was_noted_and_forgets_it(struck: Struck) -> None:
    run(struck, scenario(FREEZE))
    assert back(struck) == ("", [])
    assert struck.faults.did[-1][2].frozen == ("execution@a",)
    assert underway.read(ENVIRONMENT.name) is None


def test_rollback_gives_leadership_back_with_room_for_its_record(struck: Struck) -> None:
    run(struck, scenario(KILL))
    struck.accounts.leader = Leadership(epoch=4, owner="b/1", site="b", at_ns=0)
    assert back(struck) == ("", ["room", "to a"])
    assert struck.heard[-1] == "a leads again"


def test_what_cannot_be_lifted_stays_noted_and_moves_nothing(struck: Struck) -> None:
    run(struck, scenario(FREEZE))
    struck.faults.stuck = "execution@a is frozen"
    why, moved = back(struck)
    assert why == "the rollback did not succeed: still broken: execution@a is frozen"
    assert moved == []
    assert underway.read(ENVIRONMENT.name) is not None


def test_what_is_not_steady_stays_noted(struck: Struck, monkeypatch: pytest.MonkeyPatch) -> None:
    run(struck, scenario(KILL))
    monkeypatch.setattr(striking, "unsteady", lambda *_: ["bus@a: no answer"])
    assert back(struck) == ("not steady after the rollback: bus@a: no answer", [])
    assert underway.read(ENVIRONMENT.name) is not None


def test_a_silent_journal_after_the_rollback_is_said(struck: Struck) -> None:
    run(struck, scenario(KILL))
    struck.accounts.leader = Unreachable("no answer")
    assert back(struck)[0] == "the rollback did not succeed: no answer"


@dataclass
class FakeMover:
    """Refuses so many times."""

    refusals: int
    asked: int = 0
    emergencies: list[str] = field(default_factory=list)

    def __call__(self, to: str, *, emergency: bool = False) -> None:
        self.asked += 1
        self.emergencies += [to] if emergency else []
        if self.asked <= self.refusals:
            raise OpsctlError(f"{to} is behind")


HAND_OVER = "{kind: handover, to: follower}"


def handed_over(struck: Struck, mover: FakeMover, leadership: str) -> None:
    struck.striking._mover = mover
    run(struck, scenario(HAND_OVER, leadership=leadership))


WARM = ENVIRONMENT.model_copy(update={"dr": DrTier.WARM})


def ordered(struck: Struck, *, trades_from_s: float) -> FakeMover:
    mover = struck.striking._mover = FakeMover(refusals=0)
    struck.accounts.environment = WARM
    struck.clock.trades_from_s = trades_from_s
    run(struck, scenario(KILL, leadership="moves"))
    return mover


def test_where_failover_is_manual_the_drill_gives_the_order(struck: Struck) -> None:
    mover = ordered(struck, trades_from_s=float("inf"))
    assert mover.emergencies == ["b"]
    assert struck.clock.now_s == pytest.approx(100.0 + 2 * striking.HUSH_S + 10.0)


def test_an_operator_who_sees_orders_flow_again_orders_nothing(struck: Struck) -> None:
    assert ordered(struck, trades_from_s=108.0).emergencies == []
    assert "trading goes on: nothing is ordered" in struck.heard


def test_a_handover_that_is_refused_is_asked_for_again(struck: Struck) -> None:
    mover = FakeMover(refusals=ASKED - 1)
    handed_over(struck, mover, "moves")
    assert mover.asked == ASKED
    assert struck.heard.count("b is behind: asking again") == ASKED - 1


def test_a_handover_that_stays_refused_fails_the_drill_where_it_must_move(struck: Struck) -> None:
    with pytest.raises(OpsctlError, match="b is behind"):
        handed_over(struck, FakeMover(refusals=ASKED), "moves")


def test_a_handover_that_stays_refused_is_told_where_it_may(struck: Struck) -> None:
    handed_over(struck, FakeMover(refusals=ASKED), "may-move")
    assert struck.heard[-1] == "not handed over: b is behind"


def test_a_refusal_of_a_site_that_leads_by_then_is_none(struck: Struck) -> None:
    struck.accounts.leader = Leadership(epoch=4, owner="b/1", site="b", at_ns=0)
    mover = FakeMover(refusals=1)
    handed_over(struck, mover, "moves")
    assert mover.asked == 1
