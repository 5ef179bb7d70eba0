"""Sets of CPUs, as lists and as masks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.model.profile import cpus

SETS = st.frozensets(st.integers(0, 300))


@given(SETS)
def test_what_is_written_as_a_list_is_read_as_the_same_cpus(some: frozenset[int]) -> None:
    assert cpus.of_list(cpus.listed(some)) == some


@given(SETS)
def test_what_is_written_as_a_mask_is_read_as_the_same_cpus(some: frozenset[int]) -> None:
    assert cpus.of_mask(cpus.mask(some)) == some


@pytest.mark.parametrize(
    ("some", "listed", "mask"),
    [
        ((), "", "0"),
        ((0,), "0", "1"),
        ((0, 1, 4), "0-1,4", "13"),
        ((1, 2, 3), "1-3", "e"),
        ((32,), "32", "1,00000000"),
        ((0, 63, 64), "0,63-64", "1,80000000,00000001"),
    ],
)
def test_they_are_written_as_the_kernel_does(some: tuple[int, ...], listed: str, mask: str) -> None:
    assert cpus.listed(some) == listed
    assert cpus.mask(some) == mask


def test_groups_of_a_mask_may_be_written_short() -> None:
    assert cpus.of_mask("1,1") == {0, 32}
    assert cpus.of_mask("0x3") == {0, 1}


@pytest.mark.parametrize("text", ["x", "1-", "3-1", "1,,2", "-1", "0-99999", "1 2", "0x3"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a list of CPUs such as"):
        cpus.of_list(text)


@pytest.mark.parametrize("text", ["", "g", "1,", "1,123456789", "0-1"])
def test_what_is_no_mask_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a hexadecimal mask"):
        cpus.of_mask(text)


def test_the_place_says_whether_it_is_a_list_or_a_mask() -> None:
    assert cpus.of("/sys/class/net/eth1/queues/rx-0/rps_cpus", "10") == {4}
    assert cpus.of("/proc/irq/default_smp_affinity", "00000010") == {4}
    assert cpus.of("/sys/devices/system/cpu/isolated", "10") == {10}
    assert cpus.of("/sys/devices/system/cpu/nohz_full", " (null)\n") == frozenset()
    assert cpus.of("isolcpus", "") == frozenset()
