"""Probes through a real bus, and real servers that are tried without their secrets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from valkey import Valkey

from apps.core.messages import OrderState, OrderUpdate, Side, Stamps, encode
from opsctl.health import chain, refusal
from opsctl.services.base import (
    Address,
    BusProbe,
    HttpProbe,
    JournalProbe,
    Probe,
    Service,
    SqlProbe,
)
from opsctl.toolchain import programs
from tests.support.servers import (
    Process,
    ValkeyServer,
    etcd,
    folder,
    free_port,
    postgres,
    valkey,
    wait_for,
)

MS = 1_000_000
TOKEN = "the token"


class FakeChain:
    """Stands for data app, strategy and execution: what goes in comes out on the bus."""

    def __init__(self, bus: ValkeyServer) -> None:
        self.bus = bus
        self.client = Valkey(port=bus.port, password=bus.password)
        self.status = 202
        self.state, self.reason = OrderState.PENDING_NEW, ""
        self.silent: Callable[[int], bool] = lambda number: False
        self.asked: list[str] = []

    def take(self, name: str) -> None:
        """Answer a probe as the chain does: first journaled, then sent, then settled."""
        self.asked.append(name)
        if self.silent(len(self.asked)):
            return
        now = time.time_ns()
        self.say(name, OrderState.JOURNALED, Stamps(data_in=now - 9 * MS))
        sent = now if self.state is not OrderState.REJECTED else 0
        self.say(name, self.state, Stamps(data_in=now - 9 * MS, sent=sent))
        self.say(name, OrderState.CANCELED, Stamps(data_in=now - 9 * MS, sent=sent))

    def say(self, name: str, state: OrderState, stamps: Stamps) -> None:
        update = OrderUpdate(
            index=len(self.asked),
            id=name,
            decision=f"momentum-{name}",
            symbol="ZVZZT",
            side=Side.BUY,
            qty=1,
            state=state,
            cum_qty=0,
            avg_px=Decimal(0),
            reason=self.reason,
            probe=name,
            stamps=stamps,
        )
        self.client.xadd("orders", {b"m": encode(update)})


@pytest.fixture
def fake() -> Iterator[FakeChain]:
    with valkey() as bus:
        made = FakeChain(bus)
        yield made
        made.client.close()  # type: ignore[no-untyped-call]


@contextmanager
def ends_of(fake: FakeChain) -> Iterator[chain.Ends]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            status = fake.status if allowed else 401
            if status < 300:
                fake.take(body["id"])
            self.send_response(status)
            self.end_headers()
            if status >= 300:
                self.wfile.write(b'{"detail": "there are no prices yet"}')

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield chain.Ends(
                site="a",
                door=HttpProbe(
                    at=Address(host="127.0.0.1", port=server.server_address[1]),
                    path="/readyz",
                    secret="http-token",
                ),
                bus=BusProbe(at=Address(host="127.0.0.1", port=fake.bus.port), secret="bus"),
                token=TOKEN,
                password=fake.bus.password,
            )
        finally:
            server.shutdown()
            thread.join()


def test_every_probe_comes_out_with_its_stamps(fake: FakeChain) -> None:
    with ends_of(fake) as ends:
        probed = chain.probe(ends, 20, 500)
    assert (len(probed.stamps), probed.lost, probed.unsent) == (20, 0, 0)
    assert {s.sent - s.data_in for s in probed.stamps} == {9 * MS}
    assert len(set(fake.asked)) == 20


def test_probes_are_paced(fake: FakeChain) -> None:
    with ends_of(fake) as ends:
        began = time.monotonic()
        probed = chain.probe(ends, 11, 50)
    assert time.monotonic() - began >= 0.2
    assert probed.per_s <= 56


def test_a_probe_that_risk_rejects_is_counted_with_its_reason(fake: FakeChain) -> None:
    fake.state, fake.reason = OrderState.REJECTED, "halted"
    with ends_of(fake) as ends:
        probed = chain.probe(ends, 3, 500)
    assert (probed.stamps, dict(probed.refused), probed.lost) == ([], {"halted": 3}, 0)


def test_a_probe_that_the_data_app_refuses_is_counted_with_its_reason(fake: FakeChain) -> None:
    fake.status = 503
    with ends_of(fake) as ends:
        probed = chain.probe(ends, 2, 500)
    assert dict(probed.refused) == {"there are no prices yet": 2}


def test_lost_probes_are_counted_and_after_some_no_more_are_sent(
    fake: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "LOST_S", 0.3)
    fake.silent = lambda number: number in (2, 5) or number > 6
    with ends_of(fake) as ends:
        probed = chain.probe(ends, 50, 500)
    assert (len(probed.stamps), probed.lost, probed.unsent) == (4, 5, 41)


def test_a_chain_that_is_not_there_is_an_error_that_says_so(fake: FakeChain) -> None:
    with ends_of(fake) as ends:
        pass
    with pytest.raises(chain.ChainUnreachable, match="data app of site a does not answer"):
        chain.probe(ends, 1, 50)
    fake.bus.process.kill()
    with pytest.raises(chain.ChainUnreachable, match="bus of site a does not answer"):
        chain.probe(ends, 1, 50)


def server(probe: Probe, **ports: int) -> Service:
    return Service(
        name="server", site="a", kind="server", purpose="", argv=("true",), probe=probe, ports=ports
    )


def loopback(port: int) -> Address:
    return Address(host="127.0.0.1", port=port)


def test_servers_with_their_secrets_refuse_strangers() -> None:
    with valkey() as bus, postgres() as sql, etcd() as journal:
        tls = journal.certificates
        secrets = {
            "bus": bus.password,
            "db": sql.password,
            "ca": tls.ca.read_text(),
            "cert": tls.client_cert.read_text(),
            "key": tls.client_key.read_text(),
        }
        guarded = [
            server(BusProbe(at=loopback(bus.port), secret="bus")),
            server(
                SqlProbe(at=loopback(sql.port), user="trading", database="trading", secret="db")
            ),
            server(JournalProbe(at=loopback(journal.port), ca="ca", cert="cert", key="key")),
        ]
        found = {s.probe.kind: list(refusal.open_doors(s, secrets.__getitem__)) for s in guarded}
        assert found == {"bus": [], "sql": [], "journal": []}


def test_an_open_door_is_found() -> None:
    with folder() as home:
        port = free_port()
        process = Process(
            [
                str(programs.path("valkey", "valkey-server")),
                *("--port", str(port), "--bind", "127.0.0.1", "--save", ""),
            ],
            home / "log",
        )
        process.start()
        try:
            client = Valkey(port=port, password="")
            wait_for(lambda: _answers(client), "valkey")
            client.close()  # type: ignore[no-untyped-call]
            bare = server(BusProbe(at=loopback(port), secret="bus"))
            assert list(refusal.open_doors(bare, lambda name: "")) == [
                "lets no password in",
                "lets a wrong password in",
            ]
        finally:
            process.stop()


def test_a_further_port_that_answers_strangers_is_found(fake: FakeChain) -> None:
    with ends_of(fake) as ends:
        bus = server(BusProbe(at=loopback(fake.bus.port), secret="bus"), admin=ends.door.at.port)
        assert list(refusal.open_doors(bus, lambda name: fake.bus.password)) == [
            "port admin: answers 501 over http to a stranger"
        ]


def test_a_server_that_is_down_proves_nothing() -> None:
    down = server(BusProbe(at=loopback(free_port()), secret="bus"))
    (why,) = refusal.open_doors(down, lambda name: "secret")
    assert why.startswith("does not answer with its secret")


def _answers(client: Valkey) -> bool:
    from valkey.exceptions import ValkeyError

    try:
        return bool(client.ping())
    except ValkeyError:
        return False
