"""Books that are kept on a server of others: what is said of it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from opsctl.model.books import database
from opsctl.model.environment import Environment
from opsctl.model.feasibility import not_yet

PEM = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-0a1b-Xy12Zz"
AT = {"host": "books.internal", "ca": PEM}


def environment(**more: Any) -> Environment:
    made = {"name": "daily-warm", "tier": "daily", "dr": "cold", **more}
    return Environment.model_validate(made)


def refused(**more: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return [(tuple(path), why) for path, why in not_yet(environment(**more))]


def test_the_books_of_every_site_that_trades_are_elsewhere_or_of_none() -> None:
    assert refused(books={}) == []
    assert refused(books={"a": AT}) == []
    assert refused(dr="hot", books={"a": AT, "b": AT}) == []
    ((path, why),) = refused(dr="hot", books={"a": AT})
    assert (path, why) == (
        ("books", "b"),
        "is missing: the books of all sites are others', or of none",
    )
    ((path, why),) = refused(books={"a": AT, "witness": AT})
    assert (path, why) == (("books", "witness"), "is no site that trades: a")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_is_not_in_every_container(host: str) -> None:
    assert refused(target="docker", books={"a": AT}) == []
    assert refused(books={"a": {**AT, "host": host}}) == []
    ((path, why),) = refused(target="docker", books={"a": {**AT, "host": host}})
    assert path == ("books", "a", "host")
    assert "as other machines do" in why


@pytest.mark.parametrize(
    "fault",
    [
        {"ca": ""},
        {"ca": "/etc/ssl/ca.pem"},
        {"ca": PEM.replace("END", "end")},
        {"ca": f"{PEM}-----BEGIN PRIVATE KEY-----\nTUlJQg==\n-----END PRIVATE KEY-----\n"},
        {"host": "host=elsewhere user=x"},
        {"host": "/run/postgresql"},
        {"port": 0},
        {"user": "a b"},
        {"password_file": "relative"},
        {"password": "never a value"},
        {"secret": "arn:aws:s3:::books"},
        {"secret": SECRET, "password_file": "/master"},
    ],
)
def test_what_would_be_no_server_that_proves_itself_is_a_fault(fault: dict[str, Any]) -> None:
    environment(books={"a": {**AT, "ca": PEM * 3, "secret": SECRET}})
    with pytest.raises(ValidationError):
        environment(books={"a": {**AT, **fault}})


def test_each_site_of_each_environment_has_a_database_of_its_own() -> None:
    names = [database(environment(name=name), site) for name in ("x", "x-a") for site in ("a", "b")]
    assert names == ["x_a", "x_b", "x_a_a", "x_a_b"]
