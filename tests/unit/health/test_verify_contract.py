"""The contract of an app, held against ours and against programs that break it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.core.settings import APPS, CoreSettings
from opsctl.health import contract
from opsctl.services.base import Address, HttpProbe, Service

TOKEN = "the token"
Answer = tuple[int, str]

WANTED: dict[str, Any] = {
    "environment": "daily",
    "site": "a",
    "http_port": 8_000,
    "http_token_file": "/secrets/http-token",
    "bus_port": 6_379,
    "bus_password_file": "/secrets/bus",
    "db_host": "127.0.0.1",
    "db_port": 5_432,
    "db_password_file": "/secrets/db",
    "journal_endpoints": ["127.0.0.1:2379"],
    "journal_ca_file": "/secrets/ca",
    "journal_cert_file": "/secrets/cert",
    "journal_key_file": "/secrets/key",
    "fix_port": 9_000,
    "fix_password_file": "/secrets/fix",
    "fix_store": "/data/fix",
    "record": "/data/record",
    "tape_start": date(2010, 1, 4),
    "history_until": date(2010, 1, 4),
    "desk_secret_file": "/secrets/desk",
    "peers": {"data": "127.0.0.1:8001"},
    "links": {"a-b-etcd": {"listen": "127.0.0.1:1", "to": "127.0.0.1:2", "asked": "etcd-b:2380"}},
    "parameters": {"lookback": 250, "tilt": "0.5"},
}


def running(kind: type[CoreSettings], name: str) -> dict[str, str]:
    given = {key: value for key, value in WANTED.items() if key in kind.model_fields}
    return kind.of(service=name, **given).to_environment()


def service(*argv: str, port: int = 1, **variables: str) -> Service:
    return Service(
        name="data",
        site="a",
        kind="app",
        purpose="",
        argv=argv or ("true",),
        environment=variables,
        probe=HttpProbe(
            at=Address(host="127.0.0.1", port=port), path="/readyz", secret="http-token"
        ),
    )


@pytest.mark.parametrize("name", sorted(APPS))
def test_every_app_describes_the_settings_that_it_runs_with(name: str) -> None:
    kind = APPS[name]
    variables = {"PYTHONUNBUFFERED": "1", **running(kind, name)}
    assert list(contract.accepts(kind.model_json_schema(), variables)) == []


def test_a_setting_that_is_missing_unknown_or_wrong_is_named() -> None:
    schema = APPS["desk"].model_json_schema()
    good = running(APPS["desk"], "desk")
    without = {key: value for key, value in good.items() if key != "TRADING_BUS_PORT"}
    assert "bus_port" in next(contract.accepts(schema, without))
    unknown = list(contract.accepts(schema, {**good, "TRADING_COLOUR": "red"}))
    assert unknown == ["--describe does not know colour"]
    for bad in ("soon", "0", "1e9"):
        wrong = next(contract.accepts(schema, {**good, "TRADING_HTTP_PORT": bad}))
        assert "http_port" in wrong
    wrong = next(contract.accepts(schema, {**good, "TRADING_LOG_LEVEL": "loud"}))
    assert "log_level" in wrong


@pytest.mark.parametrize(
    "schema", [None, [], {}, {"type": "array"}, {"type": "object", "properties": 3}]
)
def test_what_is_no_schema_is_refused(schema: object) -> None:
    assert list(contract.accepts(schema, {}))


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("print('hello')", "prints no JSON"),
        ("import sys; sys.exit('no such option')", "exits 1: no such option"),
        ('print(\'{"type": "object"}\')', ""),
        ("import os; print(os.environ['TRADING_SITE'])", "exits 1: KeyError"),
    ],
)
def test_describe_is_run_without_the_settings(
    monkeypatch: pytest.MonkeyPatch, program: str, why: str
) -> None:
    monkeypatch.setenv("TRADING_SITE", "a")
    found = list(contract.described(service(sys.executable, "-c", program)))
    assert (why in found[0]) if why else (found == [])


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "cannot be run" in next(contract.described(service(str(tmp_path / "none"))))


def line(**changes: str) -> str:
    return json.dumps({"environment": "daily", "site": "a", "service": "data", **changes})


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([line(event="started"), line()], ""),
        ([], "logged nothing"),
        ([line(), "Traceback (most recent call last):"], "no JSON object: Traceback"),
        (["3"], "no JSON object"),
        ([line(site="b")], "another site"),
        ([json.dumps({"event": "started"})], "another environment, site, service"),
    ],
)
def test_logs_say_who_speaks(lines: list[str], why: str) -> None:
    found = list(contract.log(service(), lines, "daily"))
    assert (why in found[0]) if why else (found == [])


@contextmanager
def app(answer: Callable[[str, str], Answer]) -> Iterator[int]:
    """Serve HTTP on loopback: `answer` takes the path and the Authorization header."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def guarded(path: str, given: str) -> Answer:
    if given != f"Bearer {TOKEN}":
        return 401, ""
    return 200, "# TYPE up gauge\nup 1\n" if path == "/metrics" else "ok"


def test_a_guarded_endpoint_keeps_the_contract() -> None:
    with app(guarded) as port:
        assert list(contract.endpoint(service(port=port), TOKEN)) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda path, given: (200, "# TYPE up gauge"), "/livez answers 200 to no token, not 401"),
        (
            lambda path, given: guarded(path, f"Bearer {TOKEN}") if given else (401, ""),
            "/livez answers 200 to a wrong token, not 401",
        ),
        (lambda path, given: (401, ""), "/livez answers 401"),
        (
            lambda path, given: (200, "fine") if given == f"Bearer {TOKEN}" else (401, ""),
            "/metrics is not in the format of Prometheus",
        ),
        (
            lambda path, given: (503, "books down") if path == "/readyz" else guarded(path, given),
            "/readyz answers 503: books down",
        ),
    ],
)
def test_an_endpoint_that_breaks_the_contract_is_named(
    answer: Callable[[str, str], Answer], why: str
) -> None:
    with app(answer) as port:
        assert why in list(contract.endpoint(service(port=port), TOKEN))


def test_an_endpoint_that_is_not_there_is_said() -> None:
    found = list(contract.endpoint(service(port=1), TOKEN))
    assert [fault.partition(":")[0] for fault in found] == ["/livez", "/readyz", "/metrics"]
