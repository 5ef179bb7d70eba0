"""One reading for all servers of a stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from opsctl.errors import OpsctlError
from stacks.onprem.boxes import Found, Properties
from stacks.onprem.sharing import ADDRESSES, LINKS, SERVERS, Shared, place, roster


def server(name: str, address: str = "10.0.0.1") -> dict[str, object]:
    return {"name": name, "address": address, "port": 22, "user": "", "key": "", "host_key": ""}


class Reads:
    """Notes which servers were read together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, servers: Mapping[str, Properties]) -> dict[str, Found]:
        self.batches.append(sorted(servers))
        if "broken" in servers:
            raise OpsctlError("no Ansible")
        return {
            name: Found(machine=name, owner=str(one["address"]), profile="", drift={})
            for name, one in servers.items()
        }


ALL = {name: server(name) for name in ("one", "two", "three")}


def test_whoever_comes_first_reads_all_and_the_others_find_theirs() -> None:
    reads = Reads()
    shared = Shared(reads)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda one: shared.of(one, lambda: ALL), ALL.values()))
    assert [one.machine for one in found] == list(ALL)
    assert reads.batches == [sorted(ALL)]


def test_a_reading_serves_once() -> None:
    reads = Reads()
    shared = Shared(reads)
    for name in ("one", "two", "one"):
        shared.of(ALL[name], lambda: ALL)
    assert reads.batches == [["one", "three", "two"], ["one", "two"]]


def test_one_that_is_elsewhere_by_now_is_read_where_the_state_has_it() -> None:
    reads = Reads()
    shared = Shared(reads)
    shared.of(ALL["one"], lambda: ALL)
    assert shared.of(server("two", "10.0.0.9"), dict).owner == "10.0.0.9"
    assert reads.batches[1:] == [["two"]]


def test_what_fails_fails_for_all_and_is_not_kept() -> None:
    shared = Shared(Reads())
    broken = {"broken": server("broken"), "one": ALL["one"]}
    for name in broken:
        with pytest.raises(OpsctlError, match="no Ansible"):
            shared.of(broken[name], lambda: broken)
    assert shared.of(ALL["one"], dict).machine == "one"


def test_the_roster_is_what_the_last_program_declared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path))
    assert roster("rack") == {}
    place("rack").parent.mkdir(parents=True)
    place("rack").write_text(json.dumps(ALL))
    assert roster("rack") == ALL


def test_rosters_are_files_of_their_own() -> None:
    names = [place("rack", of).name for of in (SERVERS, LINKS, ADDRESSES)]
    assert len(set(names)) == 3
    assert "addresses.json" not in names  # the networks of its containers
