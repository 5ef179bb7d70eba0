"""What the fake apps write is what a real leader of the journal goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.core.leader import Deposed, Leader
from opsctl.recovery import failover
from opsctl.recovery.outcome import Mode
from tests.integration.recovery.environment import hot, journal, target
from tests.integration.recovery.fake_execution import execution, owner
from tests.support.servers import EtcdServer, etcd


@pytest.fixture(scope="module")
def server() -> Iterator[EtcdServer]:
    with etcd() as running:
        yield running


@pytest.mark.parametrize("mode", ["planned", "emergency"])
def test_the_named_site_leads_and_its_predecessor_is_deposed(
    server: EtcdServer, state: Path, mode: Mode
) -> None:
    async def lead(site: str) -> int:
        async with journal(server, mode) as there:
            leader = await Leader.take(there, owner=owner(site), site=site)
            assert await leader.beat(1)
            return leader.mine.epoch

    async def beat_of_the_former() -> None:
        async with journal(server, mode) as there:
            former = await Leader.take(there, owner=owner("a"), site="a")
            result = await asyncio.to_thread(
                failover,
                hot(mode),
                target(server, state),
                to="b",
                mode=mode,
                by="alice",
                show=lambda _: None,
                say=lambda _: None,
            )
            assert result.verdict == "done"
            with pytest.raises(Deposed, match="epoch 2 is led by b-1"):
                await former.beat(2)

    with execution(server, mode):
        assert asyncio.run(lead("a")) == 1
        asyncio.run(beat_of_the_former())
        assert asyncio.run(lead("b")) == 2
