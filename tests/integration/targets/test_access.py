"""No server of a site lets in who has no secret; the owner's socket is the one way round."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import httpx
import psycopg
import pytest
import valkey.exceptions

from tests.integration.targets import stage
from tests.integration.targets.stage import Stage
from tests.support.servers import folder, wait_for


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Bring every server up, once for this module."""
    with pytest.MonkeyPatch.context() as patch, folder() as made:
        patch.setenv("OPSCTL_STATE", str(made))
        try:
            Stage(stage.servers).up()
            yield made
        finally:
            Stage(stage.servers).down()


@pytest.fixture
def site(home: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("OPSCTL_STATE", str(home))
    return Stage(stage.servers)


def test_the_books_ask_for_the_password(site: Stage) -> None:
    with site.books() as connection:
        superuser = connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert superuser == (False,)
    refused = pytest.raises(psycopg.OperationalError, match="password authentication failed")
    with refused, site.books(password="wrong"):
        pass


def test_the_superuser_of_the_books_comes_in_by_the_owners_socket_alone(site: Stage) -> None:
    port = site.port("postgres@a", "sql")
    run = site.target.host.folder("postgres", "a", "run")
    with psycopg.connect(host=run, port=port, user="opsctl", dbname="trading") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert Path(run).stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=port, user="opsctl", dbname="trading")


@pytest.mark.parametrize("password", [None, "wrong"])
def test_the_bus_asks_for_the_password(site: Stage, password: str | None) -> None:
    with (
        site.bus(password) as client,
        pytest.raises(valkey.exceptions.AuthenticationError),
    ):
        client.xadd("md", {"x": "y"})


def test_the_journal_asks_for_a_certificate_of_its_authority(site: Stage, tmp_path: Path) -> None:
    assert site.etcdctl("endpoint", "health") is not None
    with pytest.raises(subprocess.CalledProcessError):
        site.etcdctl("get", "x", certificate=None)
    for name in ("client", "peer"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _tls_without_certificate(site.port("etcd@a", name))


def _tls_without_certificate(port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain) as secured,
    ):
        secured.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        if not secured.recv(1):
            raise ConnectionResetError


def _s3(site: Stage, access: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{site.port('seaweedfs@a', 's3')}",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def test_the_store_asks_for_its_key(site: Stage) -> None:
    own = _s3(site, site.secret("s3-access"), site.secret("s3"))
    own.create_bucket(Bucket="access-test")
    own.put_object(Bucket="access-test", Key="x", Body=b"y")
    for stranger in (
        _s3(site, site.secret("s3-access"), "wrong"),
        _s3(site, "OPSWRONG", site.secret("s3")),
    ):
        with pytest.raises(botocore.exceptions.ClientError):
            stranger.get_object(Bucket="access-test", Key="x")
    url = f"http://127.0.0.1:{site.port('seaweedfs@a', 's3')}/access-test/x"
    assert httpx.get(url).status_code == 403


def test_every_inner_port_of_the_store_asks_for_a_certificate(site: Stage) -> None:
    found = next(s for s in site.target.services() if s.key == "seaweedfs@a")
    inner = {name: port for name, port in found.ports.items() if name != "s3"}
    assert {"master", "volume", "filer", "s3-grpc"} < set(inner)
    for port in inner.values():
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _tls_without_certificate(port)


def test_the_store_listens_on_nothing_that_is_not_in_the_catalogue(site: Stage) -> None:
    pid = site.pids()["seaweedfs@a"]
    listening = subprocess.run(
        ["ss", "-Hltnp"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    ours = {line.split()[3] for line in listening if f"pid={pid}," in line}
    found = next(s for s in site.target.services() if s.key == "seaweedfs@a")
    assert ours == {f"127.0.0.1:{port}" for port in found.ports.values()}


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_the_monitoring_asks_for_its_password(site: Stage, name: str) -> None:
    url = f"http://127.0.0.1:{site.port(f'{name}@a', 'http')}/-/ready"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=("opsctl", "wrong")).status_code == 401
    assert httpx.get(url, auth=("opsctl", site.secret(name))).status_code == 200


def test_prometheus_scrapes_with_secrets_and_knows_the_rules(site: Stage) -> None:
    base = f"http://127.0.0.1:{site.port('prometheus@a', 'http')}/api/v1"
    auth = ("opsctl", site.secret("prometheus"))

    def up() -> bool:
        answer = httpx.get(f"{base}/query", params={"query": "up"}, auth=auth).json()
        found = {r["metric"]["job"]: r["value"][1] for r in answer["data"]["result"]}
        return found == {"etcd": "1", "alertmanager": "1", "prometheus": "1"}

    wait_for(up, "three scraped servers")
    groups = httpx.get(f"{base}/rules", auth=auth).json()["data"]["groups"]
    assert {group["name"] for group in groups} == {"boxes", "platform", "trading"}
    managers = httpx.get(f"{base}/alertmanagers", auth=auth).json()["data"]
    assert len(managers["activeAlertmanagers"]) == 1


def test_the_servers_are_small(site: Stage) -> None:
    sizes = {seen.key: seen.rss_bytes or 0 for seen in site.target.observe()}
    assert all(sizes.values())
    assert sum(sizes.values()) < 500 * 1024**2, json.dumps(sizes)
