"""The static files of the page, kept in memory: a handful, served without a thread."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class Asset:
    """One file, and the tag by which a browser knows that it has it."""

    content: bytes
    media_type: str
    etag: str


class Assets:
    """Every file under a folder that has a type we serve; pages in HTML are not among them."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read the files."""
        self._assets = {
            str(path.relative_to(folder)): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES
        }

    async def serve(self, request: Request) -> Response:
        """Answer with the file that the path names; 404 where there is none."""
        found = self._assets.get(request.path_params["path"])
        if found is None:
            raise HTTPException(404)
        headers = {"ETag": found.etag}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')
