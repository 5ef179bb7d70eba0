"""Role and database of a site's books, made on a server of others through TLS."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from opsctl.deploy import books
from opsctl.deploy.administrator import Administrator
from opsctl.errors import OpsctlError
from opsctl.health.probes import probe
from opsctl.services.base import Address, SqlProbe
from tests.support import servers

MINE, OTHER = "6a4b0b1e-0000-4000-8000-000000000001", "6a4b0b1e-0000-4000-8000-000000000002"


@pytest.fixture(scope="module")
def server() -> Iterator[servers.PostgresServer]:
    with servers.managed_postgres() as found:
        yield found


@pytest.fixture(scope="module")
def administrator(server: servers.PostgresServer) -> Administrator:
    """Who may what the master of a managed instance may, and is no superuser either."""
    made = Administrator("master", secrets.token_hex(8))
    with psycopg.connect(server.dsn) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD {}").format(
                made.password
            )
        )
    return made


def at(server: servers.PostgresServer, name: str, **change: object) -> SqlProbe:
    assert server.ca_file is not None
    made = SqlProbe(
        at=Address(host="localhost", port=server.port),
        user=name,
        database=name,
        secret="db",
        ca=server.ca_file.read_text(),
    )
    return made.model_copy(update=change)


def test_role_and_database_are_made_once_and_take_a_new_password(
    server: servers.PostgresServer, administrator: Administrator
) -> None:
    where, known = at(server, "daily_a"), {"db": "first"}
    assert not books.usable(where, known.__getitem__)
    books.make(where, administrator, "first", MINE)
    assert probe(where, known.__getitem__).ok
    books.make(where, administrator, "second", MINE)
    assert not books.usable(where, known.__getitem__)
    assert probe(where, {"db": "second"}.__getitem__).ok
    with psycopg.connect(server.dsn) as connection:
        found = connection.execute(
            "SELECT datcollate, pg_encoding_to_char(encoding), pg_get_userbyid(datdba),"
            " datacl::text LIKE '{=%%' FROM pg_database WHERE datname = 'daily_a'"
        ).fetchone()
    assert found == ("C", "UTF8", "daily_a", False)


def test_the_books_of_one_site_are_closed_to_the_other(
    server: servers.PostgresServer, administrator: Administrator
) -> None:
    for name in ("hot_a", "hot_b"):
        books.make(at(server, name), administrator, name, MINE)
    found = probe(at(server, "hot_a", user="hot_b"), lambda _: "hot_b")
    assert not found.ok
    assert 'permission denied for database "hot_a"' in found.detail


@pytest.mark.parametrize("left", ["CREATE ROLE half_a LOGIN", None])
def test_what_was_not_made_for_this_environment_is_not_taken_over(
    server: servers.PostgresServer, administrator: Administrator, left: str | None
) -> None:
    name = "half_a" if left else "taken_a"
    if left:
        with psycopg.connect(server.dsn) as connection:
            connection.execute(left.encode())
    else:
        books.make(at(server, name), administrator, "theirs", OTHER)
    with pytest.raises(OpsctlError, match="is not this environment's") as refused:
        books.make(at(server, name), administrator, "mine", MINE)
    assert ("no identity" if left else OTHER) in refused.value.message
    assert not books.usable(at(server, name), lambda _: "mine")


def test_what_was_killed_before_the_database_was_made_goes_on(
    server: servers.PostgresServer, administrator: Administrator
) -> None:
    where = at(server, "killed_a")
    books.make(where, administrator, "it", MINE)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("DROP DATABASE killed_a")
    books.make(where, administrator, "it", MINE)
    assert books.usable(where, lambda _: "it")


def test_no_password_comes_into_the_log_of_the_server(
    server: servers.PostgresServer, administrator: Administrator
) -> None:
    password = secrets.token_hex(16)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            books.make(at(server, "logged_a"), administrator, password, MINE)
        finally:
            connection.execute("ALTER SYSTEM RESET log_statement")
            connection.execute("SELECT pg_reload_conf()")
    said = server.process.log()
    assert "CREATE ROLE" in said
    assert password not in said
    assert books.usable(at(server, "logged_a"), lambda _: password)


def test_the_administrator_logs_in_to_none_but_the_server_that_is_meant(
    server: servers.PostgresServer, administrator: Administrator, tmp_path: Path
) -> None:
    stranger = servers.certificates(tmp_path).ca.read_text()
    with pytest.raises(OpsctlError, match="SSL error"):
        books.make(at(server, "tls_a", ca=stranger), administrator, "it", MINE)
    elsewhere = Address(host="127.0.0.2", port=server.port)
    with pytest.raises(OpsctlError, match="does not match host name"):
        books.make(at(server, "tls_a", at=elsewhere), administrator, "it", MINE)
    wrong = Administrator(administrator.user, "wrong")
    with pytest.raises(OpsctlError, match="password authentication failed"):
        books.make(at(server, "tls_a"), wrong, "it", MINE)
