"""The work of each kind of probe; the libraries are imported when their kind is asked for.

Each function returns a detail (often empty) or raises `Unhealthy`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from opsctl.health.sql import ReadSecret, connect
from opsctl.services.base import BusProbe, HttpProbe, JournalProbe, ObjectProbe, SqlProbe

if TYPE_CHECKING:
    import psycopg
    from mypy_boto3_s3 import S3Client

SHORTEST_S = 0.05
JOURNAL_KEY = b"/probe/opsctl"
BUCKET, PREFIX = "opsctl-probe", "probe/"
LEFT_BEHIND_S = 600
LARGEST_ANSWER_BYTES = 1 << 20


class Unhealthy(Exception):
    """Why a service does not do its work."""


def left(deadline: float) -> float:
    """Return the seconds until a deadline on the monotonic clock, never none at all."""
    return max(SHORTEST_S, deadline - time.monotonic())


def sql(probe: SqlProbe, secret: ReadSecret, deadline: float) -> str:
    """Write a row, read it back; the table `opsctl_probe` keeps the one row."""
    import psycopg

    written = uuid.uuid4()
    try:
        with (
            connect(
                probe,
                secret,
                within_s=max(1, math.ceil(left(deadline))),
                autocommit=True,
                name="opsctl probe",
            ) as connection,
            _cut(connection.fileno(), left(deadline)),
        ):
            try:
                _write_row(connection, written)
            except psycopg.errors.UndefinedTable:
                _make_table(connection)
                _write_row(connection, written)
            row = connection.execute("SELECT at IS NOT NULL FROM opsctl_probe").fetchone()
    except psycopg.Error as error:
        raise Unhealthy(_first_line(error) or type(error).__name__) from error
    if row is None:
        raise Unhealthy("a row was written and cannot be read")
    return ""


def _make_table(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    # Under a lock: of two that make a table at once, one fails in one of several ways.
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('opsctl_probe'))")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS opsctl_probe"
            "(one bool PRIMARY KEY DEFAULT true CHECK (one), written uuid NOT NULL,"
            " at timestamptz NOT NULL)"
        )


def _write_row(connection: psycopg.Connection[tuple[object, ...]], written: uuid.UUID) -> None:
    connection.execute(
        "INSERT INTO opsctl_probe(written, at) VALUES (%s, now())"
        " ON CONFLICT (one) DO UPDATE SET written = excluded.written, at = excluded.at",
        (written,),
    )


def stream(probe: BusProbe, password: str, deadline: float) -> str:
    """Put a message through a stream of its own and remove it, in one transaction."""
    from valkey import Valkey
    from valkey.backoff import NoBackoff
    from valkey.exceptions import ValkeyError
    from valkey.retry import Retry

    key, sent = f"probe:{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
    client = Valkey(
        host=probe.at.here.host,
        port=probe.at.here.port,
        password=password,
        socket_timeout=left(deadline),
        socket_connect_timeout=left(deadline),
        retry=Retry(NoBackoff(), 0),
        lib_name=None,
        lib_version=None,
    )
    try:
        with client.pipeline(transaction=True) as work:
            work.xadd(key, {b"probe": sent})
            work.xrange(key)
            work.delete(key)
            _, read, _ = work.execute()  # type: ignore[no-untyped-call]
    except ValkeyError as error:
        raise Unhealthy(_first_line(error)) from error
    finally:
        client.close()  # type: ignore[no-untyped-call]
    if [fields for _, fields in read] != [{b"probe": sent}]:
        raise Unhealthy("a message was put into a stream and did not come back")
    return ""


def journal(probe: JournalProbe, ca: bytes, cert: bytes, key: bytes, *, deadline: float) -> str:
    """Write a key outside the journal and read it linearizably.

    The raw calls over a channel of our own: aetcd's client opens none with certificates.
    """
    import grpc  # type: ignore[import-untyped]
    from aetcd import rpc

    credentials = grpc.ssl_channel_credentials(
        root_certificates=ca, private_key=key, certificate_chain=cert
    )
    with grpc.secure_channel(str(probe.at.here), credentials) as channel:
        store = rpc.KVStub(channel)
        try:
            put = store.Put(
                rpc.PutRequest(key=JOURNAL_KEY, value=uuid.uuid4().hex.encode()),
                timeout=left(deadline),
            )
            read = store.Range(rpc.RangeRequest(key=JOURNAL_KEY), timeout=left(deadline))
        except grpc.RpcError as error:
            raise Unhealthy(f"{error.code().name}: {error.details()}") from error
    if not read.kvs or read.kvs[0].mod_revision < put.header.revision:
        raise Unhealthy("a key was written and a linearizable read does not show it")
    return ""


def objects(probe: ObjectProbe, access_key: str, secret: str, deadline: float) -> str:
    """Store an object, read it, remove it; and what a probe that was killed left before."""
    from botocore.exceptions import BotoCoreError, ClientError

    content = uuid.uuid4().hex.encode()
    name = f"{PREFIX}{content.decode()}"
    client = _s3(str(probe.at.here), access_key, secret, max(1, math.ceil(left(deadline))))
    try:
        try:
            client.put_object(Bucket=BUCKET, Key=name, Body=content)
        except client.exceptions.NoSuchBucket:
            with contextlib.suppress(
                client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists
            ):
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key=name, Body=content)
        try:
            read = client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        finally:
            client.delete_object(Bucket=BUCKET, Key=name)
        stale = datetime.now(UTC) - timedelta(seconds=LEFT_BEHIND_S)
        for found in client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", ()):
            if found["LastModified"] < stale:
                client.delete_object(Bucket=BUCKET, Key=found["Key"])
    except (BotoCoreError, ClientError) as error:
        raise Unhealthy(_first_line(error)) from error
    if read != content:
        raise Unhealthy("an object was stored and another one came back")
    return ""


@functools.lru_cache(maxsize=8)
def _s3(at: str, access_key: str, secret: str, timeout_s: int) -> S3Client:
    """Return a client, kept: making one takes longer than the work of a probe."""
    import boto3
    from botocore.config import Config

    client: S3Client = boto3.session.Session().client(
        "s3",
        endpoint_url=f"http://{at}",
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=Config(
            connect_timeout=timeout_s,
            read_timeout=timeout_s,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            proxies={},
        ),
    )
    return client


def http(probe: HttpProbe, secret: str, deadline: float) -> str:
    """Ask the path; the detail is the one of the JSON answer, where it has one."""
    import httpx

    bearer = {"Authorization": f"Bearer {secret}"} if probe.user is None else {}
    basic = None if probe.user is None else httpx.BasicAuth(probe.user, secret)
    try:
        with httpx.stream(
            "GET",
            f"http://{probe.at.here}{probe.path}",
            headers=bearer,
            auth=basic,
            timeout=left(deadline),
            trust_env=False,
            # Plain http on loopback: reading the CA bundle would cost 40 ms a probe.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        ) as answer:
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if time.monotonic() > deadline or len(body) > LARGEST_ANSWER_BYTES:
                    raise Unhealthy(f"{probe.path} does not come to an end")
    except httpx.HTTPError as error:
        raise Unhealthy(f"{probe.path}: {_first_line(error) or type(error).__name__}") from error
    detail = _detail(body)
    if answer.status_code != httpx.codes.OK:
        raise Unhealthy(detail or f"{probe.path} answered {answer.status_code}")
    return detail


def _detail(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    found = answer.get("detail", "") if isinstance(answer, dict) else ""
    return found if isinstance(found, str) else ""


@contextlib.contextmanager
def _cut(descriptor: int, after_s: float) -> Iterator[None]:
    """Cut a connection that is still in use after a time: a stopped server never answers."""
    with socket.socket(fileno=socket.dup(descriptor)) as line:

        def cut() -> None:
            with contextlib.suppress(OSError):  # closed by the server in this very moment
                line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(after_s, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
