"""The probes do real work on real servers, and tell what is wrong with those that cannot."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from valkey import Valkey

from opsctl.health import work
from opsctl.health.probes import Result, probe
from opsctl.services.base import (
    Address,
    BusProbe,
    HttpProbe,
    JournalProbe,
    ObjectProbe,
    Probe,
    SqlProbe,
)
from opsctl.toolchain import programs
from tests.support.process import freeze
from tests.support.servers import (
    EtcdServer,
    PostgresServer,
    Process,
    ValkeyServer,
    etcd,
    folder,
    free_port,
    postgres,
    valkey,
    wait_for,
)

TIMEOUT_S = 1.0
SLACK_S = 1.5
"""The machine is shared: a bound may be missed by this much, and must not be missed by more."""

ReadSecret = Callable[[str], str]


def ran(wanted: Probe, secret: str | ReadSecret, timeout_s: float = 5.0) -> Result:
    read = (lambda _: secret) if isinstance(secret, str) else secret
    return probe(wanted, read, timeout_s=timeout_s)


def stops_answering(process: Process, wanted: Probe, secret: str | ReadSecret) -> None:
    """Assert that a probe of a stopped process fails within its bound, and works afterwards."""
    freeze(process.pid)
    try:
        result = ran(wanted, secret, TIMEOUT_S)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert not result.ok
    assert result.detail
    assert result.duration_s < 2 * TIMEOUT_S + SLACK_S
    wait_for(lambda: ran(wanted, secret).ok, "the server that goes on")


@pytest.fixture(scope="module")
def sql_server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def bus_server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@pytest.fixture(scope="module")
def journal_server() -> Iterator[EtcdServer]:
    with etcd() as server:
        yield server


def sql_probe(server: PostgresServer, **change: str) -> SqlProbe:
    fields = {"user": "trading", "database": "trading", "secret": "db", **change}
    return SqlProbe(at=Address(host="127.0.0.1", port=server.port), **fields)


class TestSql:
    def test_one_row_is_written_and_read_however_often_and_at_once(
        self, sql_server: PostgresServer
    ) -> None:
        wanted = sql_probe(sql_server)
        results: list[Result] = []
        threads = [
            threading.Thread(target=lambda: results.append(ran(wanted, sql_server.password)))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [r.ok for r in results] == [True] * 6, results
        with psycopg.connect(sql_server.dsn) as connection:
            assert connection.execute("SELECT count(*) FROM opsctl_probe").fetchone() == (1,)

    def test_a_wrong_password_is_told_and_never_shown(self, sql_server: PostgresServer) -> None:
        wrong = secrets.token_hex(8)
        result = ran(sql_probe(sql_server), wrong)
        assert not result.ok
        assert "password authentication failed" in result.detail
        assert wrong not in result.detail

    def test_a_database_that_is_not_there_is_told(self, sql_server: PostgresServer) -> None:
        result = ran(sql_probe(sql_server, database="absent"), sql_server.password)
        assert 'database "absent" does not exist' in result.detail

    def test_a_server_that_only_reads_is_unhealthy(self, sql_server: PostgresServer) -> None:
        wanted = sql_probe(sql_server)
        assert ran(wanted, sql_server.password).ok
        with psycopg.connect(sql_server.dsn, autocommit=True) as connection:
            connection.execute("ALTER DATABASE trading SET default_transaction_read_only = on")
            try:
                result = ran(wanted, sql_server.password)
            finally:
                connection.execute("SET default_transaction_read_only = off")
                connection.execute("ALTER DATABASE trading RESET default_transaction_read_only")
        assert not result.ok
        assert "read-only transaction" in result.detail

    def test_a_stopped_server_is_given_up(self, sql_server: PostgresServer) -> None:
        stops_answering(sql_server.process, sql_probe(sql_server), sql_server.password)

    def test_a_lock_that_nobody_gives_up_is_given_up(self, sql_server: PostgresServer) -> None:
        wanted = sql_probe(sql_server)
        assert ran(wanted, sql_server.password).ok
        with psycopg.connect(sql_server.dsn) as connection:
            connection.execute("LOCK TABLE opsctl_probe IN ACCESS EXCLUSIVE MODE")
            result = ran(wanted, sql_server.password, TIMEOUT_S)
        assert not result.ok
        assert result.duration_s < TIMEOUT_S + SLACK_S


class TestBus:
    def test_a_message_goes_through_and_nothing_stays(self, bus_server: ValkeyServer) -> None:
        wanted = BusProbe(at=Address(host="127.0.0.1", port=bus_server.port), secret="bus")
        assert ran(wanted, bus_server.password).ok
        with Valkey(port=bus_server.port, password=bus_server.password) as client:
            assert client.dbsize() == 0

    def test_a_wrong_password_and_a_stopped_server(self, bus_server: ValkeyServer) -> None:
        wanted = BusProbe(at=Address(host="127.0.0.1", port=bus_server.port), secret="bus")
        assert "password" in ran(wanted, "wrong").detail
        stops_answering(bus_server.process, wanted, bus_server.password)

    def test_a_full_bus_is_unhealthy(self, bus_server: ValkeyServer) -> None:
        wanted = BusProbe(at=Address(host="127.0.0.1", port=bus_server.port), secret="bus")
        with Valkey(port=bus_server.port, password=bus_server.password) as client:
            client.config_set("maxmemory", 1)
            try:
                result = ran(wanted, bus_server.password)
            finally:
                client.config_set("maxmemory", 0)
        assert not result.ok
        assert "maxmemory" in result.detail


class TestJournal:
    def wanted(self, server: EtcdServer, **change: str) -> JournalProbe:
        tls = server.certificates
        fields = {"ca": str(tls.ca), "cert": str(tls.client_cert), "key": str(tls.client_key)}
        at = Address(host="127.0.0.1", port=server.port)
        return JournalProbe(at=at, **{**fields, **change})

    def test_a_key_is_written_and_read_by_name_and_by_path(
        self, journal_server: EtcdServer
    ) -> None:
        tls = journal_server.certificates
        files = {"tls/ca.crt": tls.ca, "tls/j.crt": tls.client_cert, "tls/j.key": tls.client_key}
        named = self.wanted(journal_server, ca="tls/ca.crt", cert="tls/j.crt", key="tls/j.key")
        first = ran(named, lambda name: files[name].read_text())
        assert first.ok, first
        assert ran(self.wanted(journal_server), "unused").ok

    def test_the_journal_keeps_one_key_however_often(self, journal_server: EtcdServer) -> None:
        import grpc  # type: ignore[import-untyped]
        from aetcd import rpc

        for _ in range(3):
            assert ran(self.wanted(journal_server), "unused").ok
        tls = journal_server.certificates
        credentials = grpc.ssl_channel_credentials(
            tls.ca.read_bytes(), tls.client_key.read_bytes(), tls.client_cert.read_bytes()
        )
        with grpc.secure_channel(journal_server.endpoint, credentials) as channel:
            found = rpc.KVStub(channel).Range(
                rpc.RangeRequest(key=b"\0", range_end=b"\0"), timeout=5
            )
        assert [kv.key for kv in found.kvs] == [work.JOURNAL_KEY]

    def test_a_client_of_another_authority_is_refused(
        self, journal_server: EtcdServer, tmp_path: Path
    ) -> None:
        from tests.support.servers import certificates

        strange = certificates(tmp_path)
        result = ran(
            self.wanted(journal_server, cert=str(strange.client_cert), key=str(strange.client_key)),
            "unused",
            TIMEOUT_S,
        )
        assert not result.ok

    def test_a_certificate_that_is_not_there_is_told(self, journal_server: EtcdServer) -> None:
        result = ran(self.wanted(journal_server, key="/nonexistent/key"), "unused")
        assert not result.ok
        assert "/nonexistent/key" in result.detail

    def test_a_stopped_member_is_given_up(self, journal_server: EtcdServer) -> None:
        stops_answering(journal_server.process, self.wanted(journal_server), "unused")


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[ObjectProbe, str, Process]]:
    """Run a SeaweedFS with one S3 identity."""
    with folder() as home:
        access, secret, s3 = "probe-access", secrets.token_hex(8), free_port()
        identity = {
            "name": "trading",
            "credentials": [{"accessKey": access, "secretKey": secret}],
            "actions": ["Admin"],
        }
        (home / "s3.json").write_text(json.dumps({"identities": [identity]}))
        ports = {
            name: free_port() for name in ("master.port", "volume.port", "filer.port", "admin.port")
        }
        argv = [
            *(str(programs.path("seaweedfs", "weed")), "mini", f"-dir={home}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={s3}"),
            *(f"-{name}={port}" for name, port in ports.items()),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"),
            f"-s3.config={home / 's3.json'}",
        ]
        process = Process(argv, home / "log")
        process.start()
        wanted = ObjectProbe(
            at=Address(host="127.0.0.1", port=s3), access_key="s3-access", secret="s3"
        )
        read = {"s3-access": access, "s3": secret}
        try:
            wait_for(lambda: ran(wanted, read.__getitem__).ok, "SeaweedFS", 40)
            yield wanted, secret, process
        except TimeoutError:
            pytest.fail(f"{ran(wanted, read.__getitem__)}\n{process.log()[-3000:]}")
        finally:
            process.stop()


class TestObjects:
    def test_an_object_is_stored_read_and_removed(
        self, store: tuple[ObjectProbe, str, Process]
    ) -> None:
        wanted, secret, _ = store
        read = {"s3-access": "probe-access", "s3": secret}.__getitem__
        for _ in range(3):
            result = ran(wanted, read)
            assert result.ok, result
        client = work._s3(str(wanted.at), "probe-access", secret, 5)
        assert client.list_objects_v2(Bucket=work.BUCKET).get("Contents", []) == []

    def test_what_a_killed_probe_left_is_removed_by_a_later_one(
        self, store: tuple[ObjectProbe, str, Process], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted, secret, _ = store
        client = work._s3(str(wanted.at), "probe-access", secret, 5)
        client.put_object(Bucket=work.BUCKET, Key=f"{work.PREFIX}left", Body=b"left")
        monkeypatch.setattr(work, "LEFT_BEHIND_S", -5)  # all of it is old
        assert ran(wanted, {"s3-access": "probe-access", "s3": secret}.__getitem__).ok
        assert client.list_objects_v2(Bucket=work.BUCKET).get("Contents", []) == []

    def test_a_wrong_secret_is_told_and_never_shown(
        self, store: tuple[ObjectProbe, str, Process]
    ) -> None:
        wanted, _, _ = store
        result = ran(wanted, {"s3-access": "probe-access", "s3": "wrong-secret"}.__getitem__)
        assert not result.ok
        assert "SignatureDoesNotMatch" in result.detail
        assert "wrong-secret" not in result.detail

    def test_a_stopped_store_is_given_up(self, store: tuple[ObjectProbe, str, Process]) -> None:
        wanted, secret, process = store
        stops_answering(process, wanted, {"s3-access": "probe-access", "s3": secret}.__getitem__)


class Answers(BaseHTTPRequestHandler):
    """An app's operations endpoint, as far as a probe sees it."""

    def do_GET(self) -> None:
        status, body = 200, b'{"ready": true, "detail": ""}'
        if self.headers["Authorization"] not in ("Bearer token", "Basic b3BzY3RsOnRva2Vu"):
            status, body = 401, b"unauthorized"
        elif self.path == "/unready":
            status, body = 503, b'{"ready": false, "detail": "no close for 30 s; token"}'
        elif self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                try:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.1)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Address]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Address(host="127.0.0.1", port=int(server.server_address[1]))
        server.shutdown()
        thread.join()


class TestHttp:
    def test_a_bearer_token_and_a_basic_password_open(self, endpoint: Address) -> None:
        assert ran(HttpProbe(at=endpoint, path="/readyz", secret="t"), "token\n").ok
        assert ran(HttpProbe(at=endpoint, path="/readyz", secret="t", user="opsctl"), "token").ok

    def test_a_wrong_token_is_told(self, endpoint: Address) -> None:
        result = ran(HttpProbe(at=endpoint, path="/readyz", secret="t"), "wrong")
        assert (result.ok, result.detail) == (False, "/readyz answered 401")

    def test_the_detail_is_the_apps_own_without_the_token(self, endpoint: Address) -> None:
        result = ran(HttpProbe(at=endpoint, path="/unready", secret="t"), "token")
        assert (result.ok, result.detail) == (False, "no close for 30 s; ***")

    def test_an_answer_that_does_not_end_is_given_up(self, endpoint: Address) -> None:
        result = ran(HttpProbe(at=endpoint, path="/slow", secret="t"), "token", TIMEOUT_S)
        assert not result.ok
        assert result.duration_s < TIMEOUT_S + SLACK_S


@pytest.mark.parametrize(
    "wanted",
    [
        lambda at: SqlProbe(at=at, user="u", database="d", secret="s"),
        lambda at: BusProbe(at=at, secret="s"),
        lambda at: JournalProbe(at=at, ca="c", cert="c", key="k"),
        lambda at: ObjectProbe(at=at, access_key="a", secret="s"),
        lambda at: HttpProbe(at=at, path="/", secret="s"),
    ],
)
def test_a_port_where_nothing_listens_costs_next_to_nothing(
    wanted: Callable[[Address], Probe],
) -> None:
    at = Address(host="127.0.0.1", port=free_port())
    result = ran(wanted(at), "unused")
    assert (result.ok, result.detail) == (
        False,
        f"nothing listens on {at}: Connection refused",
    )
    assert result.duration_s < 0.05


@pytest.mark.parametrize(
    "wanted",
    [
        lambda at: SqlProbe(at=at, user="u", database="d", secret="s"),
        lambda at: BusProbe(at=at, secret="s"),
        lambda at: ObjectProbe(at=at, access_key="a", secret="s"),
        lambda at: HttpProbe(at=at, path="/", secret="s"),
    ],
)
def test_a_stranger_on_the_port_is_unhealthy_and_never_an_exception(
    wanted: Callable[[Address], Probe],
) -> None:
    """The stranger accepts and says nonsense."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closing = threading.Event()

        def serve() -> None:
            listener.settimeout(0.1)
            while not closing.is_set():
                try:
                    line, _ = listener.accept()
                except TimeoutError:
                    continue
                with line:
                    line.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            at = Address(host="127.0.0.1", port=int(listener.getsockname()[1]))
            result = ran(wanted(at), "unused", TIMEOUT_S)
        finally:
            closing.set()
            thread.join()
    assert not result.ok
    assert result.detail
