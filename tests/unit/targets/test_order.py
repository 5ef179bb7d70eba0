from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.errors import OpsctlError
from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets import order

PROBE = HttpProbe(at=Address(host="127.0.0.1", port=1), path="/", secret="t")


def service(name: str, *waits: str, site: str = "a") -> Service:
    return Service(
        name=name, site=site, kind="app", purpose="", argv=("x",), waits=waits, probe=PROBE
    )


def by_key(*services: Service) -> dict[str, Service]:
    return {s.key: s for s in services}


def test_a_bare_name_is_a_service_of_the_same_site() -> None:
    assert order.waits(service("data", "postgres", "venue@market", site="b")) == (
        *("postgres@b", "venue@market"),
    )


def test_a_level_counts_what_must_be_up_before() -> None:
    found = order.levels(by_key(service("x"), service("y", "x"), service("z", "y", "x")))
    assert found == {"x@a": 1, "y@a": 2, "z@a": 3}


def test_a_wait_for_nothing_is_named() -> None:
    with pytest.raises(OpsctlError, match="x@a waits for y@a, which is not part"):
        order.levels(by_key(service("x", "y")))


def test_services_that_wait_for_each_other_are_named() -> None:
    with pytest.raises(OpsctlError, match=r"wait for each other: .*@a -> .*@a"):
        order.levels(by_key(service("x", "y"), service("y", "x")))


@given(st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=10), st.data())
def test_waits_come_along_and_come_first(edges: list[set[int]], data: st.DataObject) -> None:
    services = by_key(
        *(
            service(f"s{n}", *(f"s{m}" for m in sorted(waits) if m < n))
            for n, waits in enumerate(edges)
        )
    )
    chosen = data.draw(st.sets(st.sampled_from(sorted(services))))
    found = order.with_waits(sorted(chosen), services)
    assert chosen <= set(found)
    for place, key in enumerate(found):
        assert set(order.waits(services[key])) <= set(found[:place])
