"""Guards the operations endpoint with the environment's bearer token."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send


class Bearer:
    """Routes that answer 401 unless the request carries `Authorization: Bearer TOKEN`."""

    def __init__(self, routes: Sequence[BaseRoute], token: str) -> None:
        """Guard `routes` with `token`."""
        self._inner = Starlette(routes=list(routes))
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if hmac.compare_digest(given, self._expected):
            await self._inner(scope, receive, send)
        else:
            await PlainTextResponse("unauthorized", status_code=401)(scope, receive, send)

    def mount(self) -> Mount:
        """Return this guard as a route."""
        return Mount("/", app=self)
