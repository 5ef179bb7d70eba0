"""Anchors: heads of the log in an S3 bucket under object lock, where nobody can change them.

Whoever can rewrite the log, its heads and its signatures still cannot take back what the
store of the environment keeps until its retention ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from opsctl.errors import OpsctlError
from opsctl.evidence.head import Head
from opsctl.evidence.log import append_durably, log
from opsctl.model.value import Value

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "evidence"
PREFIX = "heads"
RETENTION_DAYS = 2_192
"""Six years: what SEC rule 17a-4 asks for the records of orders."""
_DIGITS = 12
_NAMED = re.compile(PREFIX + r"/([0-9a-f]{64})/([0-9]+)-([0-9a-f]{64})\.json")


@dataclass(frozen=True)
class Store:
    """An S3 store and the keys that open it."""

    endpoint: str
    """Its address, such as `http://127.0.0.1:8333`."""
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = BUCKET
    region: str = "us-east-1"
    retention_days: int = RETENTION_DAYS


class Anchor(Value):
    """Where a head was put, and until when it is locked there."""

    at: datetime
    log: str
    index: int
    hash: str
    endpoint: str
    bucket: str
    key: str
    version: str
    locked_until: datetime


def anchor(head: Head, store: Store) -> Anchor:
    """Put a head into the store under object lock, in compliance mode; return where.

    The bucket is made, versioned and with object lock, where it is missing. Raises
    `OpsctlError` where the store does not answer or its bucket has no object lock.
    """
    key = _key(head)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=store.retention_days)
    with _client(store) as client:
        _ensure_bucket(client, store)
        put = client.put_object(
            Bucket=store.bucket,
            Key=key,
            Body=head.model_dump_json().encode(),
            ContentType="application/json",
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=until,
        )
        version = put.get("VersionId", "")
        kept = client.get_object_retention(Bucket=store.bucket, Key=key, VersionId=version)
    retention = kept.get("Retention", {})
    held = retention.get("RetainUntilDate")
    if retention.get("Mode") != "COMPLIANCE" or held is None or held < until:
        raise OpsctlError(
            f"{store.endpoint} took the head of the evidence but does not lock it",
            hint="anchor into a store that supports S3 object lock in compliance mode",
        )
    made = Anchor(
        at=datetime.now(UTC),
        log=head.log,
        index=head.index,
        hash=head.hash,
        endpoint=store.endpoint,
        bucket=store.bucket,
        key=key,
        version=version,
        locked_until=until,
    )
    with log().locked():
        append_durably(log().anchors, made.model_dump_json().encode() + b"\n")
    return made


def anchored(store: Store) -> tuple[Head, ...]:
    """Return the heads that a store holds, by log, the oldest first.

    Log, index and hash stand in an object's name, so that a listing tells them; of each
    log the newest head alone is read, for its signature. Marks of deletion change nothing.
    """
    first: dict[str, tuple[datetime, str]] = {}
    heads: dict[str, Head] = {}
    with _client(store) as client:
        if not _bucket_exists(client, store):
            return ()
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket=store.bucket, Prefix=f"{PREFIX}/"
        )
        for page in pages:
            for found in page.get("Versions", []):
                key, at = found["Key"], found["LastModified"]
                if key not in first or at <= first[key][0]:
                    first[key] = at, found["VersionId"]
        for key in sorted(first):
            heads[key] = _named(key, first[key][0])
        for key in {head.log: key for key, head in heads.items()}.values():
            got = client.get_object(Bucket=store.bucket, Key=key, VersionId=first[key][1])
            heads[key] = _signed(heads[key], got["Body"].read())
    return tuple(heads.values())


def _key(head: Head) -> str:
    return f"{PREFIX}/{head.log}/{head.index:0{_DIGITS}d}-{head.hash}.json"


def _named(key: str, at: datetime) -> Head:
    match = _NAMED.fullmatch(key)
    if match is None:
        raise OpsctlError(f"the object {key} of the evidence bucket is no head of a log")
    return Head(at=at, log=match[1], index=int(match[2]), hash=match[3])


def _signed(head: Head, content: bytes) -> Head:
    """Return a head with the signature that its object holds."""
    try:
        full = Head.model_validate_json(content)
    except ValueError:
        return head
    kept = (full.log, full.index, full.hash) == (head.log, head.index, head.hash)
    return full if kept else head


def _bucket_exists(client: S3Client, store: Store) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.head_bucket(Bucket=store.bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def _ensure_bucket(client: S3Client, store: Store) -> None:
    if not _bucket_exists(client, store):
        client.create_bucket(Bucket=store.bucket, ObjectLockEnabledForBucket=True)


@contextmanager
def _client(store: Store) -> Iterator[S3Client]:
    # Imported here: it takes a third of a second, and most commands anchor nothing.
    import boto3
    from botocore.client import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=store.endpoint,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        region_name=store.region,
        config=Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"},
        ),
    )
    try:
        yield client
    except (BotoCoreError, ClientError) as error:
        raise OpsctlError(
            f"the object store {store.endpoint} refused the evidence: {error}",
            hint="see whether it runs, its keys fit, and its bucket "
            f"`{store.bucket}` was made with object lock",
        ) from error
    finally:
        client.close()
