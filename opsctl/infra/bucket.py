"""The state in a bucket: what an S3 server does there that the engine does not expect."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from opsctl.infra.workspace import PROJECT, Workspace

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def tidy(workspace: Workspace) -> None:
    """Remove the empty folder of the locks, where the server of the bucket lists one.

    Servers over a file system (SeaweedFS) list a folder whose last object was deleted as an
    object of no bytes for some seconds; the engine takes it for a lock that it cannot read.
    Of AWS itself, which has no folders, nothing is asked. What goes wrong here is left to the
    engine to say.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    place = urlsplit(workspace.backend)
    options = parse_qs(place.query)
    if place.scheme != "s3" or "endpoint" not in options:
        return
    base = place.path.strip("/")
    locks = f".pulumi/locks/organization/{PROJECT}/{workspace.environment}/"
    folder = f"{base}/{locks}" if base else locks
    client = _client(options["endpoint"][0], options.get("region", ["us-east-1"])[0])
    try:
        found = client.list_objects_v2(Bucket=place.netloc, Prefix=folder, Delimiter="/")
        for each in found.get("Contents", ()):
            if each["Key"] == folder and each["Size"] == 0:
                client.delete_object(Bucket=place.netloc, Key=folder)
    except (BotoCoreError, ClientError):
        return
    finally:
        client.close()


def _client(endpoint: str, region: str) -> S3Client:
    import boto3
    from botocore.config import Config

    where = endpoint if "://" in endpoint else f"https://{endpoint}"
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=where, region_name=region, config=config)
