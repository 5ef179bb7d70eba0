"""Two network apps, as of two hosts: one is dialled, the other leads to a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx

from apps.core.settings import NetworkSettings
from opsctl.targets import authority
from tests.integration.network.stage import TOKEN, Far
from tests.support.apps import App
from tests.support.asking import NO_TLS
from tests.support.servers import Process, folder, free_port, wait_for

LINK, OTHER = "a-b-peer", "a-witness-journal"
"""A link of the host that dials, and one that a host of another name may come by."""


@dataclass
class Hosts:
    """Both apps, what is at the far end, and the certificates."""

    far: Far
    near: int
    """Where the link is entered."""
    door: int
    """Where the second host is reached by others."""
    pems: Path
    control: int
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection over the link; it may never arrive."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.near)
        self.opened.append(writer)
        return reader, writer

    def context(self, name: str | None) -> ssl.SSLContext:
        """Return a TLS context with a certificate of the authority, or without one."""
        found = ssl.create_default_context(cafile=str(self.pems / "ca.crt"))
        if name is not None:
            found.load_cert_chain(self.pems / f"{name}.crt", self.pems / f"{name}.key")
        return found

    async def ask(self, tls: ssl.SSLContext, link: str) -> bytes:
        """Ask the second host's app for a link, as a stranger would; return what it says."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.door, ssl=tls, server_hostname="relay-b"
        )
        self.opened.append(writer)
        writer.write(f"CONNECT {link} HTTP/1.1\r\n\r\n".encode())
        return await asyncio.wait_for(reader.readline(), 10)

    async def disturb(self, **faults: Any) -> None:
        """Set the faults of the link, where it is entered."""
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
            answer = await client.put(
                f"http://127.0.0.1:{self.control}/links/{LINK}",
                json=faults,
                headers={"Authorization": f"Bearer {TOKEN}"},
            )
            assert answer.status_code == 200, answer.text


@contextlib.asynccontextmanager
async def hosts(bears: str = "relay-b", means: str = "relay-b") -> AsyncIterator[Hosts]:
    """Yield two apps; the second bears a name, and the first means to reach one."""
    far = Far()
    server = await asyncio.start_server(far.accept, "127.0.0.1", 0)
    end = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    near, door, *http = (free_port() for _ in range(4))
    with folder() as place:
        (place / "token").write_text(TOKEN)
        authority.ensure(
            place, {"relay-a", "relay-b", "relay-c", bears}, [IPv4Address("127.0.0.1")]
        )
        shared = f"127.0.0.1:{door}"
        dials: Mapping[str, Any] = {
            LINK: {"listen": f"127.0.0.1:{near}", "to": shared, "by": means}
        }
        accepts: Mapping[str, Any] = {
            LINK: {"listen": shared, "to": end, "asked": LINK, "of": "relay-a"},
            OTHER: {"listen": shared, "to": end, "asked": OTHER, "of": "relay-c"},
        }
        async with contextlib.AsyncExitStack() as undo:
            for name, port, links in (("relay-a", http[0], dials), (bears, http[1], accepts)):
                undo.callback(_app(place, name, port, links).stop)
            for port in http:
                await asyncio.to_thread(wait_for, partial(_answers, port), "the apps")
            found = Hosts(far, near, door, place, http[0])
            yield found
            for writer in (*found.opened, *far.writers):
                writer.close()
        server.close()


def _app(place: Path, name: str, port: int, links: Mapping[str, Any]) -> Process:
    settings = NetworkSettings.of(
        environment="test",
        site=f"between-{name}",
        service="network",
        http_port=port,
        http_token_file=place / "token",
        links=dict(links),
        tls_ca_file=place / "ca.crt",
        tls_cert_file=place / f"{name}.crt",
        tls_key_file=place / f"{name}.key",
    )
    environment = {**os.environ, **settings.to_environment()}
    process = App("apps.network", place / f"{port}.log", environment)
    process.start()
    return process


def _answers(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        found = httpx.get(
            f"http://127.0.0.1:{port}/readyz",
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
            verify=NO_TLS,
        )
        return found.status_code == 200
    return False
