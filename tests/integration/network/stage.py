"""A network app as a process, two links on it, and a server at their far end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from apps.core.settings import NetworkSettings
from tests.support.apps import App
from tests.support.asking import NO_TLS
from tests.support.servers import Process, folder, free_port, wait_for

TOKEN = "token"
PATIENCE_S = 10.0


@dataclass
class Far:
    """What is at the far end: keeps what it hears, says what it is told to."""

    readers: list[asyncio.StreamReader] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    came: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep a connection."""
        self.readers.append(reader)
        self.writers.append(writer)
        self.came.put_nowait(None)


@dataclass
class Stage:
    """The running app and what is around it."""

    far: Far
    plain: int
    door: int
    http: httpx.AsyncClient
    process: Process
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection over the link `a-b-peer`, accepted at its far end."""
        opened = await self.open(self.plain)
        await self.arrived()
        return opened

    async def open(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a port of the app; closed at the end of the test, and not before."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self.opened.append(writer)
        return reader, writer

    async def arrived(self) -> None:
        """Wait until a connection came through."""
        await asyncio.wait_for(self.far.came.get(), PATIENCE_S)

    async def disturb(self, name: str = "a-b-peer", **faults: Any) -> dict[str, Any]:
        """Set the faults of a link; return what the app says of it."""
        answer = await self.http.put(f"/links/{name}", json=faults)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def restore(self, name: str = "a-b-peer") -> None:
        """Take every fault of a link back."""
        answer = await self.http.delete(f"/links/{name}")
        assert answer.status_code == 200, answer.text

    async def shown(self, name: str = "a-b-peer") -> dict[str, Any]:
        """Return what the app says of a link."""
        return dict((await self.http.get("/links")).json()["links"][name])


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


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Yield a stage; everything on it is stopped afterwards."""
    far = Far()
    server = await asyncio.start_server(far.accept, "127.0.0.1", 0)
    end = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    plain, door, http, nobody = (free_port() for _ in range(4))
    shared = f"127.0.0.1:{door}"
    with folder() as place:
        token = Path(place) / "token"
        token.write_text(TOKEN)
        settings = NetworkSettings.of(
            environment="test",
            site="between",
            service="network",
            http_port=http,
            http_token_file=token,
            links={
                "a-b-peer": {"listen": f"127.0.0.1:{plain}", "to": end},
                "a-b-etcd": {"listen": shared, "to": end, "asked": "etcd-b:2380"},
                "a-witness-etcd": {"listen": shared, "to": end, "asked": "etcd-witness:2380"},
                "a-gone-etcd": {
                    "listen": shared,
                    "to": f"127.0.0.1:{nobody}",
                    "asked": "etcd-gone:2380",
                },
            },
        )
        environment = {**os.environ, **settings.to_environment()}
        process = App("apps.network", Path(place) / "log", environment)
        process.start()
        try:
            await asyncio.to_thread(wait_for, lambda: _answers(http), "the network app")
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{http}",
                headers={"Authorization": f"Bearer {TOKEN}"},
                trust_env=False,
                verify=NO_TLS,
            ) as client:
                found = Stage(far, plain, door, client, process)
                yield found
                for writer in found.opened:
                    writer.close()
        finally:
            process.stop()
            for writer in far.writers:
                writer.close()
            server.close()
