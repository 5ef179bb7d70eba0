"""`opsctl halt` where the journal is gone: each site stops by itself, on a real order path."""

from __future__ import annotations

import asyncio
from pathlib import Path

from opsctl import evidence
from opsctl.cli.halt import sentence
from opsctl.deploy.kill_switch import switch
from opsctl.deploy.outcome import Switched
from opsctl.services.base import Address, HttpProbe, JournalProbe, Service
from tests.integration.execution.platform import (
    TOKEN,
    Platform,
    eventually,
    hearing,
    market,
    platform,
)
from tests.integration.execution.test_execution import resting, venue_rows
from tests.support.servers import free_port
from tests.unit.deploy.fake import FakeHost, FakeTarget, environment, service


def _target(running: Platform, state: Path) -> FakeTarget:
    """Return two sites as an operator sees them, of which one is not there."""
    host = FakeHost(state)
    Path(host.secret("http-token")).write_text(TOKEN)
    tls = running.etcd.certificates
    journal = JournalProbe(
        at=Address(host="127.0.0.1", port=running.etcd.port),
        ca=str(tls.ca),
        cert=str(tls.client_cert),
        key=str(tls.client_key),
    )

    def execution(site: str, port: int) -> Service:
        at = Address(host="127.0.0.1", port=port)
        probe = HttpProbe(at=at, path="/readyz", secret="http-token")
        return service("execution").model_copy(update={"site": site, "probe": probe})

    there = execution("a", running.ports["execution"])
    member = service("etcd").model_copy(update={"probe": journal})
    return FakeTarget(host, (member, there, execution("b", free_port())))


def test_a_halt_without_the_journal_cancels_and_is_written_once_it_can(state: Path) -> None:
    async def go(running: Platform) -> None:
        async with hearing(running) as (bus, heard):
            await market(bus)
            running.until_ready("execution")
            order = await resting(running, heard, bus, 1)
            running.etcd.process.kill()
            await eventually("it is said", lambda: "journal" in running.ready("execution"))
            shown: list[Switched] = []
            target = _target(running, state)
            result = await asyncio.to_thread(
                switch, "halt", environment("test"), target,
                by="alice", reason="out", show=shown.append,
            )  # fmt: skip
            assert shown == [result]
            a, b = result.sites
            assert (result.halted, result.effective) == (False, False)
            assert (a.answered, a.cancelled, a.left) == (True, (order,), ())
            assert (b.answered, b.cancelled) == (False, ())
            assert "sent 1 cancels" in sentence(result)
            assert "b: did nothing" in sentence(result)
            await eventually("it is cancelled", lambda: len(venue_rows(running, "cancel")) == 1)
            running.etcd.process.start()
            await eventually("the halt holds", lambda: running.metric("trading_halted") == 1)
            async with running.journal() as journal:
                halt = (await journal.kill_switch()).halt
            assert halt is not None
            assert (halt.by, halt.reason) == ("alice", "out")
        (line,) = evidence.log().read()
        assert (line.command, line.outcome, line.exit_code) == ("halt", "failed", 1)
        assert line.result["sites"][0]["cancelled"] == [order]

    with platform() as running:
        running.start("venue")
        running.start("execution")
        asyncio.run(go(running))
