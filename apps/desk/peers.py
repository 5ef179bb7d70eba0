"""Asks the services for their readiness."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping

import httpx

from apps.desk.wire import Health

TIMEOUT_S = 2.5
LONGEST = 160


class Peers:
    """The operations endpoints of the services that are shown."""

    def __init__(self, addresses: Mapping[str, str], token: str) -> None:
        """Ask those services, with the environment's token."""
        self._addresses = dict(addresses)
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            trust_env=False,
            # Peers speak plain HTTP on loopback: without this, megabytes of public authorities.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    async def ask(self) -> list[Health]:
        """Return what each service says about itself, all asked at once."""
        return list(
            await asyncio.gather(*(self._one(name, at) for name, at in self._addresses.items()))
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _one(self, name: str, address: str) -> Health:
        began = time.perf_counter()
        try:
            answer = await self._client.get(f"{address.rstrip('/')}/readyz")
        except httpx.HTTPError as fault:
            return Health(name=name, ready=False, detail=_reason(fault), took_ms=None)
        took_ms = round((time.perf_counter() - began) * 1_000, 1)
        return Health(
            name=name,
            ready=answer.status_code == httpx.codes.OK,
            detail=_detail(answer),
            took_ms=took_ms,
        )


def _detail(answer: httpx.Response) -> str:
    try:
        found = answer.json().get("detail", "")
    except (ValueError, AttributeError):
        found = "" if answer.is_success else f"answered {answer.status_code}"
    return str(found)[:LONGEST]


def _reason(fault: httpx.HTTPError) -> str:
    if isinstance(fault, httpx.ConnectError):
        return "does not listen"
    if isinstance(fault, httpx.TimeoutException):
        return f"no answer in {TIMEOUT_S:g} s"
    return (str(fault) or type(fault).__name__)[:LONGEST]
