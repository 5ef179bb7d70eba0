"""What each CPU is for: computed from the topology, or as a person wants it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opsctl.model.profile.layout import Wish, layout
from opsctl.model.profile.profile import Layout
from opsctl.model.profile.unfit import Unfit
from opsctl.model.tiers import LatencyTier
from tests.support.boxes import box, cpus, nic

HFT = LatencyTier.HFT


def of(
    cores: int,
    *,
    threads: int = 1,
    sockets: int = 1,
    tier: LatencyTier = HFT,
    node: int = -1,
    **wish: Any,
) -> Layout:
    found = box(cpus=cpus(cores, threads=threads, sockets=sockets))
    return layout(found, tier, Wish.model_validate(wish), (nic("eth1", node=node),))


def refused(cores: int, *, tier: LatencyTier = HFT, threads: int = 1, **wish: Any) -> list[str]:
    with pytest.raises(Unfit) as error:
        of(cores, threads=threads, tier=tier, **wish)
    return [str(fault) for fault in error.value.faults]


def test_two_cpus_are_enough_one_trades_and_one_does_all_else() -> None:
    assert of(2) == Layout(housekeeping=(0,), interrupts=(0,), trading=(1,))


def test_interrupts_get_a_core_of_their_own_as_soon_as_there_are_three() -> None:
    assert of(3) == Layout(housekeeping=(0,), interrupts=(1,), trading=(2,))
    assert of(4) == Layout(housekeeping=(0,), interrupts=(1,), trading=(2, 3))


def test_no_more_cpus_trade_than_the_order_path_has_threads() -> None:
    assert of(16) == Layout(housekeeping=(0, *range(6, 16)), interrupts=(1,), trading=(2, 3, 4, 5))
    assert len(of(16, trading="", threads=2).trading) == 4  # threads of a core, not of trading


def test_how_many_trade_can_be_said() -> None:
    found = layout(box(cpus=cpus(8)), HFT, Wish(threads=6), (nic("eth1"),))
    assert (found.trading, found.interrupts) == ((2, 3, 4, 5, 6, 7), (1,))
    # As many as there are cores: interrupts are then served by housekeeping.
    found = layout(box(cpus=cpus(8)), HFT, Wish(threads=7), (nic("eth1"),))
    assert (found.trading, found.interrupts) == ((1, 2, 3, 4, 5, 6, 7), (0,))


def test_siblings_of_trading_cpus_stay_idle_and_cpu_0s_is_housekeeping() -> None:
    found = of(4, threads=2)
    assert found == Layout(housekeeping=(0, 4), interrupts=(1, 5), trading=(2, 3), idle=(6, 7))
    assert found.isolated == (2, 3, 6, 7)


def test_trading_and_interrupts_are_on_the_node_of_the_nic() -> None:
    found = of(8, sockets=2, node=1)
    assert (found.interrupts, found.trading) == ((4,), (1, 5, 6, 7))
    found = of(16, sockets=2, node=1)
    assert (found.interrupts, found.trading) == ((8,), (9, 10, 11, 12))


def test_where_no_nic_tells_its_node_what_belongs_together_is_on_the_emptier_one() -> None:
    # Node 0 has CPU 0, which is housekeeping, so node 1 has more to give.
    found = of(8, sockets=2)
    assert (found.interrupts, found.trading) == ((4,), (1, 5, 6, 7))


def test_a_core_for_each_nic_serves_interrupts_where_there_are_many() -> None:
    found = layout(box(cpus=cpus(16)), HFT, None, (nic("eth1"), nic("eth2"), nic("eth3")))
    assert found.interrupts == (1, 2, 3)
    # Never more than a quarter of what is free.
    found = layout(box(cpus=cpus(9)), HFT, None, (nic("eth1"), nic("eth2"), nic("eth3")))
    assert found.interrupts == (1, 2)


def test_slower_tiers_isolate_nothing() -> None:
    assert of(4, tier=LatencyTier.DAILY) == Layout(
        housekeeping=(0, 1, 2, 3), interrupts=(0, 1, 2, 3), trading=()
    )
    near = of(8, sockets=2, node=1, tier=LatencyTier.INTRADAY)
    assert (near.trading, near.interrupts) == ((), (4, 5, 6, 7))
    assert near.housekeeping == tuple(range(8))
    assert of(1, tier=LatencyTier.WEEKLY).housekeeping == (0,)


def test_a_machine_too_small_is_refused_with_what_it_takes() -> None:
    assert refused(1) == [
        (
            "cpus: tier hft takes 2 cores, one that trades and one for all else; "
            "box1 has 1 CPUs on 1 core"
        )
    ]
    with pytest.raises(Unfit, match="2 CPUs on 1 core"):
        layout(box(cpus=cpus(1, threads=2)), HFT)
    with pytest.raises(Unfit, match="takes 1024 MiB of memory, box1 has 512 MiB"):
        layout(box(memory_bytes=512 << 20), HFT)


def test_a_layout_can_be_set_by_hand_and_what_is_left_out_is_computed() -> None:
    assert of(8, trading="6-7") == Layout(
        housekeeping=(0, 2, 3, 4, 5), interrupts=(1,), trading=(6, 7)
    )
    assert of(8, trading="4-7", interrupts="0-1", housekeeping="2-3") == Layout(
        housekeeping=(2, 3), interrupts=(0, 1), trading=(4, 5, 6, 7)
    )
    assert of(4, interrupts="3").trading == (1, 2)
    assert of(4, housekeeping="1").trading == (3,)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"trading": "3-9"}, "layout.trading: CPUs 4-9 do not exist: there are 0-3"),
        ({"trading": "0-3"}, "layout.trading: isolates every CPU"),
        ({"trading": "0-1"}, "layout.trading: CPU 0 is of the first core"),
        ({"trading": "2", "interrupts": "2"}, "layout.interrupts: CPUs 2 trade"),
        ({"trading": "2", "housekeeping": "0-2"}, "layout.housekeeping: CPUs 2 trade"),
        ({"trading": "two"}, "layout.trading: must be a list of CPUs such as 2-5,7"),
        (
            {"trading": "3", "interrupts": "1", "housekeeping": "0"},
            "layout.housekeeping: CPUs 2 are in no set: name them here",
        ),
        ({"threads": 4}, "layout.threads: 4 take as many cores beside CPU 0's: 3 are"),
        ({"threads": 2, "trading": "3"}, "layout.threads: is 2, and trading names 1"),
        ({"interrupts": "1-3"}, "layout.trading: no core is left to trade on"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_the_reason(
    wish: dict[str, object], said: str
) -> None:
    with pytest.raises(Unfit) as error:
        layout(box(), HFT, Wish.model_validate(wish))
    assert any(str(fault).startswith(said) for fault in error.value.faults), str(error.value)


def test_sets_that_split_siblings_are_refused() -> None:
    # CPUs 2 and 6 are one core, and so are 1 and 5.
    (said,) = refused(4, threads=2, trading="2,6")
    assert said == ("layout.trading: CPUs 2,6 are siblings of one core: only one of them may trade")
    (said,) = refused(4, threads=2, trading="2", interrupts="6")
    assert said.startswith("layout.interrupts: CPUs 6 are SMT siblings of trading CPUs")
    (said,) = refused(4, threads=2, trading="4")
    assert said.startswith("layout.trading: CPU 4 is of the first core")


def test_a_tier_that_isolates_nothing_refuses_trading_cpus() -> None:
    (said,) = refused(4, tier=LatencyTier.INTRADAY, trading="3")
    assert said == "layout.trading: tier intraday isolates no CPUs: leave it out, or extend hft"


@given(
    cores=st.integers(2, 40),
    threads=st.integers(1, 2),
    sockets=st.integers(1, 2),
    node=st.integers(-1, 1),
    wanted=st.none() | st.integers(1, 6),
)
def test_whatever_the_machine_the_sets_are_sound(
    cores: int, threads: int, sockets: int, node: int, wanted: int | None
) -> None:
    assume(cores % sockets == 0 and (wanted is None or wanted < cores))
    machine = box(cpus=cpus(cores, threads=threads, sockets=sockets))
    found = layout(machine, HFT, Wish(threads=wanted), (nic("eth1", node=node),))
    core_of = {cpu.cpu: (cpu.socket, cpu.core) for cpu in machine.cpus}
    everything = {*found.housekeeping, *found.interrupts, *found.trading, *found.idle}
    assert everything == set(core_of)
    assert 0 in found.housekeeping
    assert found.trading
    assert wanted is None or len(found.trading) == wanted
    # A trading core is shared with nothing but its idle sibling.
    trading_cores = {core_of[cpu] for cpu in found.trading}
    assert len(trading_cores) == len(found.trading)
    assert {cpu for cpu in core_of if core_of[cpu] in trading_cores} == set(found.isolated)
    assert not set(found.isolated) & {*found.housekeeping, *found.interrupts}
