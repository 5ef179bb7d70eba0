"""The master of a managed PostgreSQL, from the secret in which RDS keeps it."""

from __future__ import annotations

import json

import pytest

from opsctl.deploy.administrator import Administrator, read
from opsctl.errors import OpsctlError
from opsctl.model.books import BooksAt
from tests.support.aws.server import AwsServer

REGION = "eu-west-1"
"""Another than the one that the session works in: the secret says where it is."""


def at(**more: str) -> BooksAt:
    pem = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"
    return BooksAt.model_validate({"host": "books.internal", "ca": pem, **more})


def kept(server: AwsServer, name: str, content: str) -> str:
    made = server.client("secretsmanager", REGION).create_secret(Name=name, SecretString=content)
    return str(made["ARN"])


def test_user_and_password_are_those_of_the_secret(server: AwsServer) -> None:
    said = {"username": "master", "password": "it's"}
    found = read("a", at(secret=kept(server, "rds!db-0a1b", json.dumps(said))))
    assert found == Administrator("master", "it's")
    assert "it's" not in repr(found)


@pytest.mark.parametrize("content", ["no json", '"text"', '{"username": "master"}'])
def test_a_secret_of_something_else_is_refused_and_not_shown(
    server: AwsServer, content: str
) -> None:
    arn = kept(server, f"other-{len(content)}", content)
    with pytest.raises(OpsctlError, match="has no username and password") as refused:
        read("a", at(secret=arn))
    assert content not in str(refused.value)


def test_a_secret_that_is_not_there_is_told_with_the_setting(server: AwsServer) -> None:
    arn = kept(server, "there", "{}").replace("there", "gone")
    with pytest.raises(OpsctlError, match=r"trading:books\.b\.secret cannot be read"):
        read("b", at(secret=arn))


def test_where_nobody_is_named_the_settings_are() -> None:
    with pytest.raises(OpsctlError, match="nobody is named") as refused:
        read("a", at())
    assert "trading:books.a.password_file" in (refused.value.hint or "")
