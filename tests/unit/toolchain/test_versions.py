from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.toolchain.registry import PROGRAMS
from opsctl.toolchain.versions import Range, numbers, printed

parts = st.lists(st.integers(0, 99), min_size=1, max_size=4)


def dotted(version: list[int]) -> str:
    return ".".join(map(str, version))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18.6.3", (18, 6, 3)),
        ("9.1.2.post2", (9, 1, 2)),
        ("2.42.0+ds-5+deb12u1", (2, 42, 0)),
        ("1:3.4.23-4+b4", (3, 4, 23)),
        ("v3.6.16", (3, 6, 16)),
    ],
)
def test_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert numbers(text) == expected


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match="'unstable' is no version"):
        numbers("unstable")


@given(low=parts, version=parts, high=parts)
def test_a_range_agrees_with_the_order_of_tuples(
    low: list[int], version: list[int], high: list[int]
) -> None:
    def padded(v: list[int]) -> list[int]:
        return v + [0] * (4 - len(v))

    inside = dotted(version) in Range(at_least=dotted(low), below=dotted(high))
    assert inside == (padded(low) <= padded(version) < padded(high))


def test_trailing_zeros_do_not_matter() -> None:
    wanted = Range(at_least="3.6", below="3.7")
    assert "3.6.0" in wanted
    assert "3.7.0" not in wanted
    assert str(wanted) == ">=3.6,<3.7"


@pytest.mark.parametrize(
    ("name", "output", "version"),
    [
        ("postgresql", "postgres (PostgreSQL) 18.6", "18.6"),
        ("postgresql", "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
        ("valkey", "Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64", "9.1.2"),
        ("etcd", "etcd Version: 3.6.16\nGit SHA: Not provided", "3.6.16"),
        ("seaweedfs", "version 8000GB 4.48 pypi linux amd64", "4.48"),
        ("prometheus", "prometheus, version 2.42.0+ds (branch: debian/sid", "2.42.0"),
        ("alertmanager", "alertmanager, version 0.25.0 (branch: debian/sid", "0.25.0"),
        ("chromium", "Chromium 156.0.8078.79 built on Debian", "156.0.8078.79"),
        ("chromium", "Google Chrome 126.0.6478.61", "126.0.6478.61"),
    ],
)
def test_the_version_is_read_from_what_a_program_prints(
    name: str, output: str, version: str
) -> None:
    asked = next(p for p in PROGRAMS if p.name == name).asked
    assert printed(output, asked.pattern) == version


def test_a_program_that_prints_no_version_has_none() -> None:
    assert printed("usage: redis-server", r"\bv=(\d[\d.]*)") is None
