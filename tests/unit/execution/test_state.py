from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.state import SECOND_NS, TOGETHER_NS, State, decode, encode
from tests.unit.execution.made import SESSION, order


@given(st.lists(st.tuples(st.integers(0, SECOND_NS // 4), st.integers(1, 3)), max_size=40))
def test_the_rate_counts_every_order_of_a_second_and_few_older_ones(
    accepted: list[tuple[int, int]],
) -> None:
    state, now_ns, all_of_them = State(), 0, list[tuple[int, int]]()
    for after_ns, orders in accepted:
        now_ns += after_ns
        state.accept(orders, now_ns)
        all_of_them.append((now_ns, orders))

        def within(span_ns: int, now_ns: int = now_ns) -> int:
            return sum(orders for at_ns, orders in all_of_them if at_ns > now_ns - span_ns)

        counted = state.accepted_last_second(now_ns)
        assert within(SECOND_NS) <= counted <= within(SECOND_NS + TOGETHER_NS)


def test_the_rate_is_kept_small_however_many_orders_there_are() -> None:
    state = State()
    for number in range(5_000):
        state.accept(1, number * SECOND_NS // 2_500)
    assert len(state.accepted_ns) <= SECOND_NS // TOGETHER_NS + 1
    assert state.accepted_last_second(2 * SECOND_NS) >= 2_499
    assert decode(encode(state)) == state


def test_a_clock_that_is_set_back_keeps_what_was_accepted_after() -> None:
    state = State()
    state.accept(2, 5 * SECOND_NS)
    state.accept(1, 4 * SECOND_NS)
    assert state.accepted_last_second(4 * SECOND_NS) == 3
    assert state.accepted_last_second(7 * SECOND_NS) == 0


def test_a_clock_that_is_set_back_by_an_hour_does_not_use_up_the_rate() -> None:
    state, hour_ns = State(), 3_600 * SECOND_NS
    state.accept(5, 2 * hour_ns)
    assert state.accepted_last_second(hour_ns) == 0
    state.accept(3, hour_ns)
    assert state.accepted_last_second(hour_ns + SECOND_NS // 2) == 3
    assert len(state.accepted_ns) == 1, "what lies ahead is let go of"


def test_in_doubt_are_those_whose_state_says_so() -> None:
    orders = [
        order(id="new", acknowledged=True),
        order(id="doubted", doubt=True),
        order(id="behind", acknowledged=True, claimed=50),
    ]
    state = State(orders={o.id: o for o in orders}, open={o.id: None for o in orders})
    assert [o.id for o in state.in_doubt()] == ["doubted", "behind"]
    filled = msgspec.structs.replace(orders[1], cum_qty=100)
    state.orders["doubted"] = filled
    assert [o.id for o in state.in_doubt()] == ["behind"]


def test_a_snapshot_of_a_release_before_them_counts_its_entries_as_ways() -> None:
    names = ("pending", "doubted", "stranded", "new")
    orders = {name: order(id=name, ways=()) for name in names}
    orders["doubted"] = msgspec.structs.replace(orders["doubted"], doubt=True)
    orders["stranded"] = msgspec.structs.replace(orders["stranded"], doubt=True, stranded=True)
    orders["new"] = msgspec.structs.replace(orders["new"], acknowledged=True)
    read = decode(encode(State(orders=orders, open=dict.fromkeys(orders))))
    assert {name: one.ways for name, one in read.orders.items() if one.ways} == {
        "pending": (SESSION,),
        "doubted": (SESSION,),
    }
