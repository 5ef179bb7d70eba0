from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from opsctl.errors import OpsctlError
from opsctl.targets.docker.addresses import FIRST, LAST, POOL, Addresses, routed


def addresses(tmp_path: Path, *used: str) -> Addresses:
    return Addresses(tmp_path / "addresses.json", lambda: map(IPv4Network, used))


def test_what_was_chosen_is_kept_whoever_asks_first_the_next_time(tmp_path: Path) -> None:
    first = addresses(tmp_path)
    chosen = {
        (service, place): first.address(service, place, "http")
        for service, place in (("data@a", "a"), ("bus@a", "a"), ("data@b", "b"))
    }
    first.keep()
    again = addresses(tmp_path, str(POOL))  # the whole pool is in use, by ourselves
    for (service, place), at in reversed(chosen.items()):
        assert again.address(service, place, "http") == at
    assert len({at.host for at in chosen.values()}) == 3


def test_a_block_that_overlaps_what_others_have_is_passed_over(tmp_path: Path) -> None:
    used = ("10.219.0.0/24", "10.219.2.128/25", "192.168.0.0/16")
    found = addresses(tmp_path, *used)
    assert found.block.subnet_of(POOL)
    assert not any(found.block.overlaps(IPv4Network(one)) for one in used)


def test_two_that_choose_at_once_get_blocks_of_their_own(tmp_path: Path) -> None:
    first, second = addresses(tmp_path / "1"), addresses(tmp_path / "2")
    assert first.block != second.block


def test_a_block_that_another_took_while_we_chose_is_passed_over(tmp_path: Path) -> None:
    looks = iter([[], [POOL.supernet()], [], [], []])
    found = Addresses(tmp_path / "addresses.json", lambda: next(looks))
    free = addresses(tmp_path).block
    assert found.block.subnet_of(POOL)
    assert found.block != free


def test_without_a_free_block_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OpsctlError, match="no block of addresses is free"):
        _ = addresses(tmp_path, "10.0.0.0/8").block


def test_a_service_has_an_address_in_each_place_where_it_listens(tmp_path: Path) -> None:
    found = addresses(tmp_path)
    for place in ("between", "a", "b"):
        found.address("network@between", place, "http")
    at = found.places_of("network@between")
    assert set(at) == {"between", "a", "b"}
    assert all(address in found.network(place) for place, address in at.items())
    assert set(found.all()) == set(at.values())


def test_ports_of_one_service_differ_and_are_the_same_in_every_place(tmp_path: Path) -> None:
    found = addresses(tmp_path)
    client = found.address("etcd@a", "a", "client")
    peer = found.address("etcd@a", "a", "peer")
    assert client.host == peer.host
    assert client.port != peer.port
    assert found.address("etcd@a", "b", "client").port == client.port


def test_a_place_has_only_so_many_fixed_addresses(tmp_path: Path) -> None:
    found = addresses(tmp_path)
    given = {found.of(f"s{n}@a", "a") for n in range(FIRST, LAST + 1)}
    assert len(given) == LAST - FIRST + 1
    assert max(given) == IPv4Address(int(found.network("a")[0]) + LAST)
    with pytest.raises(OpsctlError, match="more than"):
        found.of("one-more@a", "a")


@pytest.mark.parametrize("text", ["{", "[]", '{"block": "10.219.0.0/23"}', '{"block": 1.5}'])
def test_a_file_that_is_none_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "addresses.json").write_text(text)
    with pytest.raises(OpsctlError, match=r"addresses\.json cannot be read"):
        addresses(tmp_path)


def test_what_the_machine_reaches_by_a_route_is_told_from_the_way_to_everywhere() -> None:
    table = (
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "br-1 4000DB0A 00000000 0001 0 0 0 C0FFFFFF 0 0 0\n"
    )
    assert list(routed(table)) == [IPv4Network("10.219.0.64/26")]
