"""An environment whose PostgreSQL somebody else runs: a real one, by TLS only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support import servers
from tests.support.project import Project

NAME = "elsewhere"


@pytest.fixture
def server() -> Iterator[servers.PostgresServer]:
    with servers.managed_postgres() as found:
        yield found


def test_it_is_deployed_verified_and_taken_away_and_its_books_stay(
    server: servers.PostgresServer, tmp_path: Path
) -> None:
    assert server.ca_file is not None
    password = secrets.token_hex(8)
    with psycopg.connect(server.dsn) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD {}").format(password)
        )
    (tmp_path / "master").write_text(f"{password}\n")
    project = Project(tmp_path / "project")
    at = {
        "host": "localhost",
        "port": server.port,
        "ca": server.ca_file.read_text(),
        "user": "master",
        "password_file": str(tmp_path / "wrong"),
    }
    settings = {"format": 1, "tier": "daily", "dr": "cold", "target": "local"}
    replay = {"day_s": 0.2}
    project.put(NAME, {**settings, "replay": replay, "books": {"a": at}})

    # Without the password of who makes the books there are none, and nothing is left running.
    refused = project.run("deploy", NAME, "--no-verify", code=1)
    assert "trading:books.a.password_file cannot be read" in refused.stderr

    at["password_file"] = str(tmp_path / "master")
    project.put(NAME, {**settings, "replay": replay, "books": {"a": at}})
    try:
        project.run("deploy", NAME, "--no-verify")
        services = json.loads(project.run("health", NAME, "--output", "json").stdout)["services"]
        assert "postgres" not in {one["name"] for one in services}
        verified = json.loads(project.run("verify", NAME, "--output", "json", code=None).stdout)
        checks = {one["name"]: one["verdict"] for one in verified["checks"]}
        assert checks["real orders"] in ("passed", "stated")
        with psycopg.connect(server.dsn.replace("dbname=trading", "dbname=elsewhere_a")) as books:
            (projected,) = books.execute("SELECT index FROM journal_position").fetchone() or (0,)
            assert projected > 0
            stored = books.execute("SELECT count(*) FROM closes").fetchone()
            assert stored != (0,)
        assert project.run("deploy", NAME, "--no-verify", "--output", "json").returncode == 0

        project.put(NAME, {**settings, "replay": replay})
        own = project.run("deploy", NAME, "--no-verify", code=2)
        assert "with its books on a server of others" in own.stderr
        project.put(NAME, {**settings, "replay": replay, "books": {"a": at}})
    finally:
        project.run("destroy", NAME, "--yes", code=None)
    again = project.run("deploy", NAME, "--no-verify", code=1)
    project.run("destroy", NAME, "--yes", code=None)
    assert "the role elsewhere_a on" in again.stderr
