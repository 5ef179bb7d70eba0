"""The kill switch on a real journal: in effect when the leader says so, and in the evidence."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from apps.core import etcd as store
from apps.core.journal import Beat, Journal, OutcomeUnknown
from opsctl import evidence
from opsctl.deploy.kill_switch import Switch, switch
from opsctl.deploy.outcome import Switched
from opsctl.errors import OpsctlError
from opsctl.services.base import Address, JournalProbe, Service
from tests.support.servers import EtcdServer, etcd
from tests.unit.deploy.fake import FakeHost, FakeTarget, environment, service


@pytest.fixture(scope="module")
def server() -> Iterator[EtcdServer]:
    with etcd() as running:
        yield running


def _journal(server: EtcdServer, name: str) -> Journal:
    tls = server.certificates
    return Journal(
        environment=name,
        endpoints=[server.endpoint],
        ca=tls.ca,
        cert=tls.client_cert,
        key=tls.client_key,
    )


def _member(server: EtcdServer) -> Service:
    tls = server.certificates
    return service("etcd").model_copy(
        update={
            "probe": JournalProbe(
                at=Address(host="127.0.0.1", port=server.port),
                ca=str(tls.ca),
                cert=str(tls.client_cert),
                key=str(tls.client_key),
            )
        }
    )


@contextmanager
def _leader(server: EtcdServer, name: str) -> Iterator[None]:
    """A leader that obeys: it says in its heartbeat up to where it has seen the kill switch."""
    stop = threading.Event()

    async def beat() -> None:
        async with _journal(server, name) as journal:
            while not stop.is_set():
                seen = (await journal.kill_switch()).seen
                beat = Beat(epoch=1, owner="test", progress=seen, kill_seen=seen, at_ns=0)
                put = store.put(journal.key("heartbeat"), msgspec.json.encode(beat))
                with suppress(OutcomeUnknown):
                    await journal.store.attempt([], [put], [])
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(beat()))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _unasked(result: Switched) -> None:
    pytest.fail(f"nothing was switched, but {result} was shown")


def _switch(server: EtcdServer, state: Path, name: str, to: Switch, reason: str = "") -> Switched:
    target = FakeTarget(FakeHost(state), (service("bus"), _member(server)))
    shown: list[Switched] = []
    result = switch(to, environment(name), target, by="alice", reason=reason, show=shown.append)
    assert shown == [result]
    return result


def test_a_halt_is_in_effect_when_the_leader_has_seen_it(server: EtcdServer, state: Path) -> None:
    with _leader(server, "led"):
        halted = _switch(server, state, "led", "halt", "runaway strategy")
        again = _switch(server, state, "led", "halt", "me too")
        resumed = _switch(server, state, "led", "resume")
        nothing = _switch(server, state, "led", "resume")
    assert (halted.halted, halted.changed, halted.effective) == (True, True, True)
    assert halted.effective_ms > 0
    assert (again.changed, again.reason, again.at) == (False, "runaway strategy", halted.at)
    assert (resumed.halted, resumed.changed, resumed.effective) == (False, True, True)
    assert (resumed.by, resumed.reason) == (None, None)
    assert (nothing.halted, nothing.changed) == (False, False)


def test_it_is_in_the_evidence(server: EtcdServer, state: Path) -> None:
    with _leader(server, "audited"):
        _switch(server, state, "audited", "halt", "runaway strategy")
    (line,) = evidence.log().read()
    assert (line.command, line.environment, line.outcome) == ("halt", "audited", "done")
    assert line.arguments == {"reason": "runaway strategy"}
    assert line.result["effective"] is True


def test_without_a_leader_it_is_written_and_not_confirmed(server: EtcdServer, state: Path) -> None:
    result = _switch(server, state, "leaderless", "halt", "x")
    assert (result.halted, result.effective) == (True, False)
    (line,) = evidence.log().read()
    assert (line.outcome, line.exit_code) == ("failed", 1)

    async def holds() -> bool:
        async with _journal(server, "leaderless") as journal:
            return (await journal.kill_switch()).halted

    assert asyncio.run(holds())


def test_without_a_journal_the_error_says_what_that_means(state: Path) -> None:
    with etcd() as gone:
        member = _member(gone)
        gone.process.stop()
        target = FakeTarget(FakeHost(state), (member,))
        with pytest.raises(OpsctlError, match="stays as it was") as failed:
            switch("halt", environment(), target, by="alice", reason="", show=_unasked)
    assert "no order leaves" in failed.value.hint
    (line,) = evidence.log().read()
    assert line.outcome == "failed"


def test_an_environment_without_a_journal_has_nothing_to_halt(state: Path) -> None:
    target = FakeTarget(FakeHost(state), (service("bus"),))
    with pytest.raises(OpsctlError, match="has no journal"):
        switch("halt", environment(), target, by="alice", reason="", show=_unasked)
