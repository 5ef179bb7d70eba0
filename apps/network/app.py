"""The network app: listens for every link, and carries what comes until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import REGISTRY
from starlette.routing import BaseRoute

from apps.core.app import App, NotReady
from apps.core.settings import NetworkSettings
from apps.network.connection import Link
from apps.network.control import routes
from apps.network.door import Door
from apps.network.metrics import Links
from apps.network.secure import Contexts, contexts

log = structlog.get_logger()

BACKLOG = 128


class NetworkApp(App[NetworkSettings]):
    """Carries the links between sites.

    Ready is that it listens: that a link is cut, or leads to nobody, is what it is for.
    """

    settings_type = NetworkSettings

    def __init__(self, settings: NetworkSettings) -> None:
        """Know the links; listen for none yet."""
        super().__init__(settings)
        self._tls: Contexts | None = contexts(settings)
        self.links = {
            name: Link(name, of, self._tls.dials if self._tls and of.by else None)
            for name, of in settings.links.items()
        }
        self._listens = False

    async def run(self) -> None:
        """Listen until stopped; then every connection breaks."""
        REGISTRY.register(Links(self.links))
        loop = asyncio.get_running_loop()
        ports: dict[str, dict[str, Link]] = {}
        for link in self.links.values():
            ports.setdefault(link.settings.listen, {})[link.settings.asked] = link
        servers = []
        try:
            for listen, served in ports.items():
                host, _, port = listen.rpartition(":")
                servers.append(
                    await loop.create_server(
                        lambda served=served: Door(served),
                        host,
                        int(port),
                        backlog=BACKLOG,
                        ssl=self._tls.accepts if self._tls and _from_others(served) else None,
                    )
                )
            self._listens = True
            log.info("carries", links=len(self.links), ports=len(ports))
            await self.stopping.wait()
        finally:
            self._listens = False
            for server in servers:
                server.close()
            for link in self.links.values():
                link.close()

    async def ready(self) -> None:
        """Return once every port listens."""
        if not self._listens:
            raise NotReady("does not listen yet")

    def routes(self) -> Sequence[BaseRoute]:
        """Return the control endpoint."""
        return routes(self.links)


def _from_others(served: Mapping[str, Link]) -> bool:
    """Whether a port is for the apps of other hosts; settings have no port for both."""
    return any(link.settings.of for link in served.values())
