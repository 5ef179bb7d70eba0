"""What AWS itself keeps from being deleted, let go once its name was given.

The engine's protection is a word in the state; a managed database has a second one, which AWS
holds to whoever asks, and which has to be taken away before the engine deletes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from opsctl.errors import OpsctlError

DATABASE = "aws:rds/instance:Instance"


def release(resources: Iterable[Mapping[str, Any]], urns: Collection[str]) -> tuple[str, ...]:
    """Switch off AWS's own protection of those resources of a state; return their identifiers.

    What it was done to already, by a run that was killed, it may be done to again.

    Raises:
        OpsctlError: AWS refuses it, or does not answer.
    """
    held = [one for one in resources if one["urn"] in urns and one["type"] == DATABASE]
    return tuple(_let_go(one["outputs"]) for one in held if one["outputs"]["deletionProtection"])


def _let_go(database: Mapping[str, Any]) -> str:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    # arn:aws:rds:REGION:ACCOUNT:db:NAME
    *_, region, _, _, name = str(database["arn"]).split(":")
    try:
        boto3.client("rds", region_name=region).modify_db_instance(
            DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
        )
    except (BotoCoreError, ClientError) as error:
        raise OpsctlError(
            f"the deletion protection of database {name} cannot be switched off: {error}",
            hint="see that this role may rds:ModifyDBInstance, and run the same command again",
        ) from error
    return name
