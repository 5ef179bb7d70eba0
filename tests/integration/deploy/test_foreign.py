"""A deployment whose journal is another environment's is refused, and nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.core.identity import claim
from apps.core.journal import Halt
from opsctl.deploy import identity, records
from opsctl.deploy.kill_switch import switch
from opsctl.deploy.pipeline import Pipeline
from opsctl.errors import OpsctlError
from opsctl.recovery import failover
from opsctl.recovery.outcome import Mode
from tests.integration.recovery.environment import hot, journal, target
from tests.integration.recovery.fake_execution import execution, look, write
from tests.support.servers import EtcdServer, etcd
from tests.unit.deploy.fake import FakeTarget, Recorded, means

RIGHTFUL = "1d6c9bb0-5c61-4e3c-9a5d-0a5d3f6f8a01"


@pytest.fixture(scope="module")
def server() -> Iterator[EtcdServer]:
    with etcd() as running:
        yield running


def _claimed(server: EtcdServer, name: str, by: str) -> None:
    async def go() -> None:
        async with journal(server, name) as there:
            there.identity = by
            await claim(there)

    asyncio.run(go())


def _deploy(name: str, at: FakeTarget) -> None:
    Pipeline(means(at), Recorded()).deploy(hot(name), arguments={}, verify=False)


def test_a_deploy_onto_the_journal_of_another_changes_nothing(
    server: EtcdServer, state: Path
) -> None:
    _claimed(server, "shared", RIGHTFUL)
    at = target(server, state / "host")
    with pytest.raises(OpsctlError, match="belongs to another environment") as refused:
        _deploy("shared", at)
    assert RIGHTFUL in refused.value.message
    assert "two deployments may not share a journal" in refused.value.hint
    assert (at.applied, records.applied("shared"), identity.known("shared")) == ([], None, None)


def test_a_deploy_of_the_journals_own_environment_goes_on(server: EtcdServer, state: Path) -> None:
    at = target(server, state / "host")
    _deploy("own", at)  # nobody has claimed the journal yet: its apps will
    mine = identity.known("own")
    assert mine is not None
    _claimed(server, "own", mine)
    at.running.clear()
    _deploy("own", at)
    identity.forget("own")  # a state folder was lost, and another takes its place
    at.running.clear()
    with pytest.raises(OpsctlError, match="belongs to another environment"):
        _deploy("own", at)
    assert at.running == {}


@pytest.mark.parametrize("mode", ["planned", "emergency"])
def test_a_failover_on_the_journal_of_another_moves_nothing(
    server: EtcdServer, state: Path, mode: Mode
) -> None:
    name = f"moved-{mode}"
    _claimed(server, name, RIGHTFUL)
    identity.ensure(name, "another")
    with execution(server, name) as fake:
        result = failover(
            hot(name),
            target(server, state / "host"),
            to="b",
            mode=mode,
            by="alice",
            show=lambda _: None,
            say=lambda _: None,
        )
        assert fake.asked == []
    assert (result.verdict, [r.check for r in result.refusals]) == ("refused", ["identity"])
    assert f"it bears the identity {RIGHTFUL}, and this environment's is another" in (
        result.refusals[0].reason
    )
    seen = look(server, name)
    assert (seen.handover, seen.leader and seen.leader.epoch) == (None, 1)


def test_trading_on_the_journal_of_another_is_not_resumed(server: EtcdServer, state: Path) -> None:
    _claimed(server, "halted", RIGHTFUL)
    identity.ensure("halted", "another")
    halt = Halt(at_ns=1, by="bob", reason="theirs")
    write(server, "halted", "kill", halt)
    with pytest.raises(OpsctlError, match="belongs to another environment"):
        switch(
            "resume",
            hot("halted"),
            target(server, state / "host"),
            by="alice",
            reason="",
            show=lambda _: None,
        )

    async def kill() -> Halt | None:
        async with journal(server, "halted") as there:
            return (await there.kill_switch()).halt

    assert asyncio.run(kill()) == halt
