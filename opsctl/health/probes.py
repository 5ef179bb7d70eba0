"""Probes of real work: what a service is for is done once, and read back.

`probe` never raises for an unhealthy service and is bounded in time; a refused port
costs microseconds, so a service that starts can be asked every 20 ms. Nothing that a
probe leaves behind grows: one row, one journal key, no message, no object.
"""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.health.sql import ReadSecret as ReadSecret
from opsctl.health.work import Unhealthy, http, journal, objects, sql, stream
from opsctl.model.value import Value
from opsctl.services.base import (
    Address,
    BusProbe,
    HttpProbe,
    JournalProbe,
    ObjectProbe,
    Probe,
    SqlProbe,
)

TIMEOUT_S = 2.0
LONGEST_DETAIL = 300


class Result(Value):
    """What a probe found; `detail` says why where it is not ok."""

    ok: bool
    detail: str = ""
    duration_s: float


@dataclass(frozen=True)
class _Secrets:
    """Reads secrets, and remembers them so that none reaches a detail."""

    read: ReadSecret
    seen: list[str]

    def __call__(self, name: str) -> str:
        found = Path(name).read_text(encoding="utf-8") if name.startswith("/") else self.read(name)
        found = found.strip()
        self.seen.append(found)
        return found


def probe(probe: Probe, read_secret: ReadSecret, *, timeout_s: float = TIMEOUT_S) -> Result:
    """Do the probe's work once and return what came of it.

    Every network operation is bounded by `timeout_s`, and so is all of them together but
    for one. A name that is an absolute path is the path of the secret's file.
    """
    secrets = _Secrets(read_secret, [])
    _ = probe.at.here  # what has to be begun to reach another machine is no part of it
    began = time.monotonic()
    far = probe.at.via is not None
    try:
        if not far:
            reach(probe.at, timeout_s)
        detail, ok = _work(probe, secrets, began + timeout_s), True
    except Unhealthy as why:
        detail, ok = str(why), False
    except OSError as error:
        detail, ok = f"{type(error).__name__}: {error}", False
    if not ok and far:  # a forwarder takes a connection before it knows that nobody is there
        with contextlib.suppress(OSError):
            try:
                reach(probe.at, timeout_s)
            except Unhealthy as why:
                detail = str(why)
    return Result(
        ok=ok,
        detail=_plain(detail, secrets.seen),
        duration_s=round(time.monotonic() - began, 6),
    )


def reachable(address: Address, timeout_s: float = TIMEOUT_S) -> bool:
    """Return whether something listens at an address."""
    try:
        reach(address, timeout_s)
    except Unhealthy:
        return False
    return True


def reach(address: Address, timeout_s: float) -> None:
    """Open and close a connection; raise `Unhealthy` where nothing listens."""
    if (way := address.via) is not None:
        try:
            why = way.refused(timeout_s)
        except OpsctlError as fault:
            why = fault.message
        if why:
            raise Unhealthy(f"nothing listens on {address}: {why}")
        return
    try:
        socket.create_connection((address.host, address.port), timeout_s).close()
    except TimeoutError as error:
        raise Unhealthy(f"no connection to {address} within {timeout_s:g} s") from error
    except OSError as error:
        raise Unhealthy(f"nothing listens on {address}: {error.strerror or error}") from error


def _work(probe: Probe, secret: _Secrets, deadline: float) -> str:
    match probe:
        case SqlProbe():
            return sql(probe, secret, deadline)
        case BusProbe():
            return stream(probe, secret(probe.secret), deadline)
        case JournalProbe():
            tls = (secret(probe.ca), secret(probe.cert), secret(probe.key))
            return journal(probe, *(pem.encode() for pem in tls), deadline=deadline)
        case ObjectProbe():
            return objects(probe, secret(probe.access_key), secret(probe.secret), deadline)
        case HttpProbe():
            return http(probe, secret(probe.secret), deadline)


def _plain(detail: str, secrets: list[str]) -> str:
    """Return a detail on one line, of a bounded length, without any secret."""
    for secret in secrets:
        if secret:
            detail = detail.replace(secret, "***")
    line = " ".join(detail.split())
    return line if len(line) <= LONGEST_DETAIL else line[: LONGEST_DETAIL - 1] + "…"
