from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from opsctl.drills.measuring import measure, opened
from opsctl.drills.record import Accepted, Record
from opsctl.drills.recording.files import Led, Window
from opsctl.drills.scenario import load
from opsctl.drills.timeline import Timeline
from opsctl.drills.traffic import Traffic

S = 1_000_000_000


@dataclass
class FakeTraffic:
    """A client that was told nothing."""

    name: str = "drill1"

    def lines(self) -> list[Any]:
        return []

    def submitted(self) -> int:
        return 0


def timeline(fault_s: int, lifted_s: int) -> Timeline:
    found = Timeline(lambda _: None)
    found.fault_ns, found.lifting_ns = fault_s * S, lifted_s * S
    found.lifted_ns = found.lifting_ns
    return found


def venue(*at_s: float, by: str = "drill1") -> Record:
    return Record(
        accepted=[Accepted(int(at * S), f"{by}-{n}", "OPS-A-ORD") for n, at in enumerate(at_s)]
    )


CLIENT = cast("Traffic", FakeTraffic())


@pytest.mark.parametrize(
    ("at_s", "by", "count"),
    [((9, 10.9, 20.1), "drill1", 0), ((10.5, 11.1, 19.9), "drill1", 2), ((15,), "other", 0)],
)
def test_what_is_opened_while_nothing_may_be_is_named(
    at_s: tuple[float, ...], by: str, count: int
) -> None:
    found = opened(CLIENT, venue(*at_s, by=by), timeline(10, 20))
    assert [line.partition(" ")[0] for line in found] == [str(count)][: bool(count)]


def test_a_site_that_leads_again_itself_recovers_when_its_new_epoch_trades() -> None:
    former = Led(epoch=1, site="a", session="OPS-A-ORD", at_ns=0)
    window = Window(
        client=CLIENT.name,
        recovery="takeover",
        single_session=False,
        journal_after=0,
        fault_ns=10 * S,
        lifted_ns=10 * S,
        ended_ns=21 * S,
        former=former,
        successor=former.model_copy(update={"epoch": 2, "at_ns": 12 * S}),
    )
    found = measure(
        window=window,
        client=CLIENT,
        venue=venue(9, 10.01, 12.5, 13),  # what was on its way at the fault arrives after it
        reconciled=None,
        told=timeline(10, 10),
    )
    assert (found.detection_ms, found.takeover_ms, found.rto_ms) == (2_000, 500, 2_490)


@pytest.mark.parametrize(
    ("scenario", "rto_ms"), [("journal-quorum-loss", 500.0), ("partition-sites", 10_500.0)]
)
def test_recovery_counts_from_where_the_scenario_says(scenario: str, rto_ms: float) -> None:
    window = Window(
        client=CLIENT.name,
        recovery=load(scenario).recovery,
        single_session=False,
        journal_after=0,
        fault_ns=10 * S,
        lifted_ns=20 * S,
        ended_ns=21 * S,
    )
    found = measure(
        window=window,
        client=CLIENT,
        venue=venue(9, 10, 20.5, 21),
        reconciled=None,
        told=timeline(10, 20),
    )
    assert found.rto_ms == rto_ms
