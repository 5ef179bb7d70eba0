"""Tries every server without its secret: each must refuse.

A server proves little by refusing while it is down: it is asked with the secret as well.
"""

from __future__ import annotations

import contextlib
import math
import ssl
import uuid
from collections.abc import Iterator
from typing import Any

from opsctl.health.probes import ReadSecret, probe
from opsctl.health.sql import connect
from opsctl.services.base import (
    Address,
    BusProbe,
    HttpProbe,
    JournalProbe,
    ObjectProbe,
    Service,
    SqlProbe,
)

TIMEOUT_S = 2.0
CLOSED = frozenset({400, 401, 403, 426})
"""Answers of HTTP that let nobody in."""


def open_doors(service: Service, read_secret: ReadSecret) -> Iterator[str]:
    """Yield each way in which a server lets a stranger in, or cannot be asked."""
    known = probe(service.probe, read_secret)
    if not known.ok:
        yield f"does not answer with its secret: {known.detail}"
        return
    yield from _without(service, read_secret)
    for name, port in service.ports.items():
        at = service.probe.at.on(port)
        if at != service.probe.at:
            yield from (f"port {name}: {why}" for why in _stranger(at))


def _without(service: Service, read_secret: ReadSecret) -> Iterator[str]:
    wrong = uuid.uuid4().hex
    match service.probe:
        case SqlProbe() as found:
            wrongly = {found.secret: wrong}
            let_in = {
                "a wrong password": _sql(found, lambda it: wrongly.get(it) or read_secret(it))
            }
        case BusProbe() as found:
            let_in = {"no password": _bus(found, None), "a wrong password": _bus(found, wrong)}
        case JournalProbe() as found:
            # Health, metrics and keys come through one listener: its TLS lets in or does not.
            let_in = {"no certificate": any(_stranger(found.at))}
        case ObjectProbe() as found:
            let_in = {"no key": _objects(found, None), "a wrong key": _objects(found, wrong)}
        case HttpProbe() as found:
            let_in = {"no password": _http(found, None), "a wrong password": _http(found, wrong)}
    yield from (f"lets {what} in" for what, entered in let_in.items() if entered)


def _sql(found: SqlProbe, secret: ReadSecret) -> bool:
    import psycopg

    with contextlib.suppress(psycopg.OperationalError):
        connect(found, secret, within_s=math.ceil(TIMEOUT_S)).close()
        return True
    return False


def _bus(found: BusProbe, password: str | None) -> bool:
    from valkey import Valkey
    from valkey.exceptions import ValkeyError

    client = Valkey(
        host=found.at.here.host,
        port=found.at.here.port,
        password=password,
        socket_timeout=TIMEOUT_S,
        lib_name=None,
        lib_version=None,
    )
    try:
        client.ping()
    except ValkeyError as fault:
        # Asked for a password that it does not have, it says so, and serves without.
        return "without any password configured" in str(fault)
    finally:
        client.close()  # type: ignore[no-untyped-call]
    return True


def _objects(found: ObjectProbe, key: str | None) -> bool:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.session.Session().client(
        "s3",
        endpoint_url=f"http://{found.at.here}",
        region_name="us-east-1",
        aws_access_key_id=key or "none",
        aws_secret_access_key=key or "none",
        config=Config(
            signature_version=UNSIGNED if key is None else "s3v4",
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            retries={"total_max_attempts": 1},
            proxies={},
        ),
    )
    with contextlib.suppress(BotoCoreError, ClientError):
        client.list_buckets()
        return True
    return False


def _http(found: HttpProbe, password: str | None) -> bool:
    import httpx

    headers = {"Authorization": f"Bearer {password}"} if password and found.user is None else {}
    auth = httpx.BasicAuth(found.user, password) if password and found.user else None
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(
            f"http://{found.at.here}{found.path}",
            headers=headers,
            auth=auth,
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # no CA bundle is read for plain http
        )
        return answer.status_code not in CLOSED
    return False


def _stranger(at: Address) -> Iterator[str]:
    """Yield how a port of no known protocol answers somebody without a certificate."""
    import httpx

    trusting: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    for scheme in ("http", "https"):
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(
                f"{scheme}://{at.here}/", timeout=TIMEOUT_S, trust_env=False, verify=trusting
            )
            if answer.status_code not in CLOSED:
                yield f"answers {answer.status_code} over {scheme} to a stranger"
