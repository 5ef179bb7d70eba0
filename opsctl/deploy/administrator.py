"""Who makes roles and databases on a server of others: read where it is kept, and kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.model.books import BooksAt


@dataclass(frozen=True)
class Administrator:
    """Who may make roles and databases; needs to be no superuser."""

    user: str
    password: str = field(repr=False)


def read(site: str, at: BooksAt) -> Administrator:
    """Return the administrator of the server of a site's books.

    Raises:
        OpsctlError: none is named, or what is named cannot be read.
    """
    if at.secret:
        return _of_secret(site, at.secret)
    if not at.password_file:
        raise OpsctlError(
            f"nobody is named who makes the books of site {site} on {at.host}",
            hint=f"name the file of the password of {at.user}: trading:books.{site}.password_file, "
            f"or a secret of AWS: trading:books.{site}.secret",
        )
    try:
        password = Path(at.password_file).expanduser().read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise OpsctlError(
            f"trading:books.{site}.password_file cannot be read: {fault}",
            hint=f"it holds the password of {at.user} on {at.host}",
        ) from fault
    return Administrator(at.user, password)


def _of_secret(site: str, arn: str) -> Administrator:
    """Read a secret as RDS keeps that of a managed master: JSON of `username` and `password`."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME
        client = boto3.client("secretsmanager", region_name=arn.split(":")[3])
        found = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    except (BotoCoreError, ClientError) as fault:
        raise OpsctlError(
            f"trading:books.{site}.secret cannot be read: {fault}",
            hint="see that these credentials may secretsmanager:GetSecretValue of it, and "
            "kms:Decrypt with its key",
        ) from fault
    except (KeyError, ValueError):
        found = None
    if not isinstance(found, Mapping) or not {"username", "password"} <= found.keys():
        raise OpsctlError(
            f"trading:books.{site}.secret is none of a database: it has no username and password",
            hint="the secret of an instance of RDS is its MasterUserSecret: "
            "aws rds describe-db-instances",
        )
    return Administrator(str(found["username"]), str(found["password"]))
