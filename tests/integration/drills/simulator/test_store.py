"""The simulator's store and a real etcd give the same answers to the same questions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from apps.core import etcd
from apps.core.etcd import Change, Credentials, Etcd, Unreachable
from opsctl.drills.simulator.store import Client, Store
from opsctl.drills.simulator.world import Loop, World
from tests.support import servers

STEPS = 150
KEYS = tuple(f"/d/{letter}" for letter in "abcde")
ALL = ("/d/", "/d0")


@pytest.fixture
def server() -> Iterator[servers.EtcdServer]:
    with servers.etcd() as running:
        yield running


def key_of(chance: Random) -> str:
    return chance.choice(KEYS)


def operation(chance: Random, key: str) -> Any:
    match chance.choice(("put", "put", "get", "range", "delete", "delete_range")):
        case "put":
            return etcd.put(key, f"{chance.randint(0, 3)}".encode())
        case "get":
            return etcd.get(key)
        case "range":
            return etcd.get(*ALL, limit=chance.choice((0, 2)))
        case "delete":
            return etcd.delete(key)
        case _:
            return etcd.delete(key, key + "0")


def comparison(chance: Random, revision: int) -> Any:
    if chance.random() < 0.5:
        return etcd.mod_is(key_of(chance), chance.choice((0, revision, chance.randint(0, 9))))
    return etcd.value_is(key_of(chance), f"{chance.randint(0, 3)}".encode())


def said(answer: Any) -> tuple[bool, int, list[list[tuple[bytes, bytes, int]]]]:
    found = [
        [(bytes(kv.key), bytes(kv.value), int(kv.mod_revision)) for kv in part.response_range.kvs]
        for part in answer.responses
        if part.response_range is not None
    ]
    return bool(answer.succeeded), int(answer.header.revision), [some for some in found if some]


async def watched(client: Any, start: str, end: str, revision: int, last: int) -> list[Change]:
    """Return the changes of a range from a revision to the one that wrote its last key."""
    found: list[Change] = []
    async for changes in client.watch(start, end, revision):
        found += changes
        if changes[-1].revision >= last:
            break
    return found


async def refused(client: Any, revision: int) -> bool:
    try:
        await watched(client, *ALL, revision, revision)
    except Unreachable:
        return True
    return False


async def asked(client: Any, seed: int) -> list[Any]:
    """Ask a store what a seed says; return everything that it answered."""
    chance, revision, answers = Random(seed), 1, list[Any]()
    for _ in range(STEPS):
        compare = [comparison(chance, revision) for _ in range(chance.randint(0, 2))]
        then, els = (
            [operation(chance, key) for key in chance.sample(KEYS, chance.randint(0, 3))]
            for _ in range(2)
        )
        answers.append(said(await client.attempt(compare, then, els)))
        revision = answers[-1][1]
        if chance.random() < 0.1:
            answers.append(await client.scan(*ALL, limit=chance.choice((0, 2))))
    last = said(await client.attempt([], [etcd.put("/d/z", b"end")], []))[1]
    middle = revision // 2
    answers.append(await watched(client, *ALL, 2, last))
    answers.append(await watched(client, *ALL, middle, last))
    answers.append(await watched(client, "/d/z", "", 2, last))
    await client.compact(middle)
    answers.append([await refused(client, at) for at in (1, middle - 1, middle, last)])
    answers.append(await watched(client, *ALL, middle, last))
    answers.append(said(await client.read(etcd.get(*ALL))))
    return answers


def by_the_simulator(seed: int) -> list[Any]:
    world, failed, found = World(seed), list[str](), list[list[Any]]()
    loop = Loop(world, "a", failed.append)
    client = Client(Store(world), loop)

    async def work() -> None:
        found.append(await asked(client, seed))

    def begin() -> None:
        loop.start(work())

    loop.inside(begin)
    world.run(1_000)
    assert failed == []
    assert found, "the simulated client did not get to the end"
    return found[0]


async def by_etcd(server: servers.EtcdServer, seed: int) -> list[Any]:
    tls = server.certificates
    credentials = Credentials(tls.ca, tls.client_cert, tls.client_key)
    client = Etcd([server.endpoint], credentials, deadline_s=10)
    try:
        await client.read(etcd.get("/"), patience_s=30)  # a member that just started
        return await asked(client, seed)
    finally:
        await client.close()


@pytest.mark.parametrize("seed", range(3))
def test_the_simulated_store_answers_as_etcd_does(server: servers.EtcdServer, seed: int) -> None:
    real = asyncio.run(by_etcd(server, seed))
    simulated = by_the_simulator(seed)
    assert len(simulated) == len(real)
    for number, (ours, theirs) in enumerate(zip(simulated, real, strict=True)):
        assert ours == theirs, f"answer {number}"
    assert sum(1 for answer in real if isinstance(answer, tuple) and answer[0]) > STEPS / 4
