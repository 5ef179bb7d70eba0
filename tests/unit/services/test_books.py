"""What services are told of books in their own PostgreSQL, and on a server of others."""

from __future__ import annotations

from typing import Any

from opsctl.model.environment import Environment
from opsctl.services import books
from opsctl.services.base import Service
from opsctl.services.catalogue import services
from tests.support.plain_host import PlainHost

PEM = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"
AT = {"host": "books.internal", "port": 5433, "ca": PEM}
READERS = ("data", "strategy", "projector", "desk")


def hot(host: PlainHost | None = None, **more: Any) -> dict[str, Service]:
    chosen = {"name": "intraday", "tier": "intraday", "dr": "hot", **more}
    return {s.key: s for s in services(Environment.model_validate(chosen), host or PlainHost())}


def test_no_site_runs_a_postgresql_whose_books_others_keep() -> None:
    host = PlainHost()  # one: its ports are chosen once
    own, others = hot(host), hot(host, books={"a": AT, "b": AT})
    assert set(own) - set(others) == {"postgres@a", "postgres@b"}
    for key, service in others.items():
        assert "postgres" not in service.waits, key
        # All it waits for is there; and what does not reach the books is the same service.
        assert all(f"{w}@{service.site}" in others or w in others for w in service.waits), key
        if service.name not in (*READERS, "prometheus"):
            assert service == own[key]


def test_every_app_that_reads_or_writes_the_books_reaches_them_by_tls() -> None:
    found = hot(books={"a": AT, "b": AT})
    for site in ("a", "b"):
        for name in READERS:
            service = found[f"{name}@{site}"]
            settings = service.environment
            assert settings["TRADING_DB_HOST"] == "books.internal"
            assert settings["TRADING_DB_PORT"] == "5433"
            assert settings["TRADING_DB_NAME"] == f"intraday_{site}"
            assert settings["TRADING_DB_USER"] == f"intraday_{site}"
            (file,) = service.files
            assert settings["TRADING_DB_CA_FILE"] == f"/state/config/{name}@{site}/{file.path}"
            assert file.content == PEM
            assert "db" in service.secrets


def test_with_books_of_its_own_an_app_asks_for_no_tls() -> None:
    for key, service in hot().items():
        assert "TRADING_DB_CA_FILE" not in service.environment, key
        assert service.kind == "server" or service.files == (), key
        assert service.books is None, key


def test_the_books_of_each_site_are_found_wherever_they_are() -> None:
    own = books.probes(hot().values())
    assert {site: at.database for site, at in own.items()} == {"a": "trading", "b": "trading"}
    assert {at.ca for at in own.values()} == {""}
    others = books.probes(hot(books={"a": AT, "b": AT}).values())
    assert {site: at.database for site, at in others.items()} == {
        "a": "intraday_a",
        "b": "intraday_b",
    }
    assert {(str(at.at), at.ca, at.secret) for at in others.values()} == {
        ("books.internal:5433", PEM, "db")
    }
