"""Three members of the journal, started as the catalogue says, and partitions between them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Literal

import httpx
import pytest

from opsctl.health.probes import Result, probe
from opsctl.model.environment import Environment
from opsctl.services.base import Address, HttpProbe, Service
from opsctl.services.catalogue import services
from opsctl.targets.secrets import Secrets
from opsctl.toolchain import programs
from tests.support.plain_host import PlainHost
from tests.support.servers import Process, folder, free_port, wait_for

HOT = Environment.model_validate({"name": "parted", "tier": "intraday", "dr": "hot"})
MEMBERS = ("a", "b", "witness")


@dataclass
class Here(PlainHost):
    """A host of the catalogue with real ports, and real programs where they are run."""

    home: Path
    known: dict[str, int] = field(default_factory=dict)

    def program(self, package: str, binary: str) -> str:
        return str(programs.path(package, binary)) if package == "etcd" else f"/none/{binary}"

    def python(self) -> tuple[str, ...]:

        return (sys.executable,)

    def folder(self, service: str, site: str, use: Literal["config", "data", "run"]) -> str:
        return str(self.home / f"{service}@{site}" / use)

    def address(self, service: str, site: str, port: str, *, seen_from: str = "") -> Address:
        name = f"{service}@{site}/{port}"
        if name not in self.known:
            self.known[name] = free_port()
        return Address(host="127.0.0.1", port=self.known[name])

    def secret(self, name: str) -> str:
        return str(self.home / "secrets" / name)


@dataclass(frozen=True)
class Journal:
    """The members, and the network between them."""

    found: dict[str, Service]
    secrets: Secrets
    network: httpx.Client

    def write(self, member: str) -> Result:
        """Write and read back at one member."""
        return probe(self.found[f"etcd@{member}"].probe, self.secrets.read)

    def cut(self, *pairs: tuple[str, str]) -> None:
        """Part members, in both directions."""
        for one, other in pairs:
            for name in (f"{one}-{other}-etcd", f"{other}-{one}-etcd"):
                assert self.network.put(f"/links/{name}", json={"cut": True}).is_success

    def heal(self) -> None:
        """Undo every cut, and return once all members write."""
        for one, other in permutations(MEMBERS, 2):
            assert self.network.delete(f"/links/{one}-{other}-etcd").is_success
        for member in MEMBERS:
            self.until_writes(member)

    def until_writes(self, member: str) -> None:
        """Return once a member writes, after an election if that takes one."""
        wait_for(lambda: self.write(member).ok, f"a write at {member}")

    def until_silent(self, member: str) -> None:
        """Return once a member writes no more: it has noticed that it is alone."""
        wait_for(lambda: not self.write(member).ok, f"silence of {member}")


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    with folder() as home, contextlib.ExitStack() as stack:
        host = Here(home=home)
        wanted = {"network@between", *(f"etcd@{member}" for member in MEMBERS)}
        found = {s.key: s for s in services(HOT, host) if s.key in wanted}
        secrets = Secrets(home / "secrets")
        secrets.ensure({name for service in found.values() for name in service.secrets})
        for key, service in found.items():
            data = home / key / "data"
            data.mkdir(parents=True, mode=0o700)
            process = Process(
                list(service.argv), home / f"{key}.log", env={**os.environ, **service.environment}
            )
            process.start()
            stack.callback(process.stop)
        at = found["network@between"].probe
        assert isinstance(at, HttpProbe)
        client = httpx.Client(
            base_url=f"http://{at.at}",
            headers={"Authorization": f"Bearer {secrets.read(at.secret)}"},
            trust_env=False,
        )
        stack.callback(client.close)
        made = Journal(found, secrets, client)
        for member in MEMBERS:
            made.until_writes(member)
        yield made


def test_the_witness_alone_stands_still_and_the_sites_go_on(journal: Journal) -> None:
    journal.cut(("a", "witness"), ("b", "witness"))
    journal.until_silent("witness")
    journal.until_writes("a")
    journal.until_writes("b")
    journal.heal()


@pytest.mark.parametrize(("alone", "other"), [("a", "b"), ("b", "a")])
def test_a_site_alone_stands_still_and_the_other_goes_on_with_the_witness(
    journal: Journal, alone: str, other: str
) -> None:
    journal.cut((alone, other), (alone, "witness"))
    journal.until_silent(alone)
    journal.until_writes(other)
    journal.until_writes("witness")
    journal.heal()


def test_the_sites_parted_from_each_other_both_reach_the_witness(journal: Journal) -> None:
    journal.cut(("a", "b"))
    journal.until_writes("witness")
    # A member that hears no leader starts no election while the witness hears one.
    assert any(journal.write(member).ok for member in ("a", "b"))
    carried = _between("witness", journal)
    wait_for(lambda: _grew(carried, _between("witness", journal)), "words with the witness")
    journal.heal()


def _between(place: str, journal: Journal) -> dict[str, int]:
    links = journal.network.get("/links").json()["links"]
    return {
        name: link["carried_to_bytes"] + link["carried_from_bytes"]
        for name, link in links.items()
        if name.endswith(f"-{place}-etcd")
    }


def _grew(before: dict[str, int], now: dict[str, int]) -> bool:
    return all(now[name] > count for name, count in before.items())
