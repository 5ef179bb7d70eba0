"""The control endpoint: what a drill asks of the links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from apps.network.connection import Link
from apps.network.faults import Faults, NoFaults, read

log = structlog.get_logger()

EXAMPLE = '{"cut": false, "drop": "none", "delay_ms": 0, "bytes_per_s": 0}'


def described(link: Link) -> dict[str, Any]:
    """Return a link as the endpoint shows it."""
    to, back = link.counts["to"], link.counts["from"]
    return {
        "listen": link.settings.listen,
        "to": link.settings.to,
        "cut": link.faults.cut,
        "drop": link.faults.drop,
        "delay_ms": link.faults.delay_ms,
        "bytes_per_s": link.faults.bytes_per_s,
        "connections": len(link.connections),
        "carried_to_bytes": to.carried_bytes,
        "carried_from_bytes": back.carried_bytes,
        "dropped_to_bytes": to.dropped_bytes,
        "dropped_from_bytes": back.dropped_bytes,
    }


def routes(links: Mapping[str, Link]) -> Sequence[BaseRoute]:
    """Return `GET /links`, and `PUT` and `DELETE /links/{name}`."""

    async def every(_: Request) -> Response:
        return JSONResponse({"links": {name: described(link) for name, link in links.items()}})

    async def disturb(request: Request) -> Response:
        link = links.get(request.path_params["name"])
        if link is None:
            return _unknown(request.path_params["name"], links)
        try:
            return _changed(link, read(await request.body()))
        except NoFaults as why:
            return JSONResponse({"error": str(why), "hint": f"send {EXAMPLE}"}, status_code=400)

    async def restore(request: Request) -> Response:
        link = links.get(request.path_params["name"])
        if link is None:
            return _unknown(request.path_params["name"], links)
        return _changed(link, Faults())

    return (
        Route("/links", every, methods=["GET"]),
        Route("/links/{name}", disturb, methods=["PUT"]),
        Route("/links/{name}", restore, methods=["DELETE"]),
    )


def _changed(link: Link, faults: Faults) -> Response:
    link.disturb(faults)
    log.info(
        "link changed",
        link=link.name,
        cut=faults.cut,
        drop=faults.drop,
        delay_ms=faults.delay_ms,
        bytes_per_s=faults.bytes_per_s,
    )
    return JSONResponse(described(link))


def _unknown(name: str, links: Mapping[str, Link]) -> Response:
    known = ", ".join(sorted(links))
    return JSONResponse(
        {"error": f"there is no link {name!r}", "hint": f"links: {known}"}, status_code=404
    )
