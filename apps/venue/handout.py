"""Hands the record out over HTTP, from a byte offset to its end of now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_CHUNK = 1 << 16


def route(record: Path) -> Route:
    """Return the route `/record?offset=BYTES`."""

    async def hand_out(request: Request) -> Response:
        text = request.query_params.get("offset", "0")
        size = record.stat().st_size
        if not text.isdecimal() or int(text) > size:
            return PlainTextResponse(f"offset must lie between 0 and {size}", status_code=400)

        async def chunks() -> AsyncIterator[bytes]:
            with record.open("rb") as file:
                left = size - file.seek(int(text))
                while left and (chunk := file.read(min(_CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
                    await asyncio.sleep(0)

        headers = {"X-Record-Size": str(size)}
        return StreamingResponse(chunks(), media_type="application/x-ndjson", headers=headers)

    return Route("/record", hand_out)
