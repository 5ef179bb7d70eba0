"""How apps and tools reach a PostgreSQL that takes TLS only, and refuse one that is another."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.core import books
from apps.core.settings import BooksSettings
from opsctl.health import sql
from opsctl.health.probes import probe
from opsctl.health.refusal import open_doors
from opsctl.services.base import Address, Service, SqlProbe
from tests.support import servers

ELSEWHERE = "127.0.0.2"
"""Where the same server answers, and its certificate does not say so."""
UNPROVEN = "SSL error: (certificate verify failed|provider signature failure)"
"""What OpenSSL says of a certificate of another authority; the latter where it has its name."""


@pytest.fixture(scope="module")
def managed() -> Iterator[servers.PostgresServer]:
    with servers.managed_postgres() as found:
        yield found


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The authority of somebody else."""
    return servers.certificates(tmp_path).ca


def settings(server: servers.PostgresServer, **change: Any) -> BooksSettings:
    given = {
        "environment": "test",
        "site": "a",
        "service": "desk",
        "http_port": 1,
        "http_token_file": "/none",
        "db_host": "localhost",
        "db_port": server.port,
        "db_password_file": server.password_file,
        "db_ca_file": server.ca_file,
    }
    return BooksSettings.of(**given | change)


def asked(of: BooksSettings) -> tuple[str, str]:
    async def go() -> tuple[str, str]:
        async with await books.connect(of) as connection:
            asking = "SELECT current_setting('application_name'), current_setting('TimeZone')"
            name, zone = await (await connection.execute(asking)).fetchone() or ("", "")
            return name, zone

    return asyncio.run(go())


def test_an_app_comes_in_by_tls_where_the_server_proves_who_it_is(
    managed: servers.PostgresServer,
) -> None:
    assert asked(settings(managed)) == ("desk", "UTC")
    assert asked(settings(managed, db_host="127.0.0.1")) == ("desk", "UTC")


def test_an_app_tells_a_server_of_another_authority_nothing(
    managed: servers.PostgresServer, stranger: Path
) -> None:
    with pytest.raises(psycopg.OperationalError, match=UNPROVEN):
        asked(settings(managed, db_ca_file=stranger))


def test_an_app_tells_a_server_of_another_name_nothing(managed: servers.PostgresServer) -> None:
    said = f'does not match host name "{ELSEWHERE}"'
    with pytest.raises(psycopg.OperationalError, match=said):
        asked(settings(managed, db_host=ELSEWHERE))


def test_a_server_of_tls_takes_nobody_without(
    managed: servers.PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        asked(settings(managed, db_ca_file=None))
    # What is said by a variable of libpq takes nothing away from what a setting asks for.
    assert asked(settings(managed)) == ("desk", "UTC")


class Way:
    """A way to the server that leads through another address, as a forwarder's does."""

    def __init__(self, port: int) -> None:
        """Lead to this port of loopback."""
        self.here = Address(host=ELSEWHERE, port=port)

    def refused(self, timeout_s: float) -> str:
        """Return that somebody answers."""
        return ""

    def on(self, port: int) -> Way:
        """Return the way to another port."""
        return Way(port)


def at(server: servers.PostgresServer, host: str, ca_file: Path | None = None) -> SqlProbe:
    ca_file = ca_file or server.ca_file
    assert ca_file is not None
    return SqlProbe(
        at=Address(host=host, port=5432, via=Way(server.port)),
        user="trading",
        database="trading",
        secret="db",
        ca=ca_file.read_text(),
    )


def test_opsctl_knows_the_server_by_its_name_at_the_end_of_a_forwarded_way(
    managed: servers.PostgresServer, stranger: Path
) -> None:
    known = {"db": managed.password}
    with sql.connect(at(managed, "localhost"), known.__getitem__) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    found = probe(at(managed, "localhost"), known.__getitem__)
    assert (found.ok, found.detail) == (True, "")
    found = probe(at(managed, "books.internal"), known.__getitem__)
    assert not found.ok
    assert 'does not match host name "books.internal"' in found.detail
    found = probe(at(managed, "localhost", stranger), known.__getitem__)
    assert not found.ok
    assert re.search(UNPROVEN, found.detail)


def test_a_wrong_password_is_tried_by_tls_as_well(managed: servers.PostgresServer) -> None:
    known = {"db": managed.password}
    service = Service(
        name="postgres",
        site="a",
        kind="server",
        purpose="",
        argv=(),
        probe=at(managed, "localhost"),
    )
    assert list(open_doors(service, known.__getitem__)) == []
