"""The archive by which an engine takes images in, as a stream: no copy of it on a disk.

The format is the one of `docker save`: a manifest, a configuration an image, its layers. A
layer that the engine holds already may be left out of the stream; its digest stays named.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from opsctl.images.configuration import digest

CHUNK = 1 << 20


@dataclass(frozen=True)
class Content:
    """One image of an archive."""

    tag: str
    """Repository and tag."""
    config: bytes
    diff_ids: tuple[str, ...]
    """Every layer, the lowest first."""


def stream(images: Sequence[Content], files: dict[str, Path]) -> Iterator[bytes]:
    """Yield the archive; `files` are the layers that travel in it, by their digest."""
    manifest = [
        {
            "Config": f"{digest(image.config).removeprefix('sha256:')}.json",
            "RepoTags": [image.tag],
            "Layers": [_place(diff_id) for diff_id in image.diff_ids],
        }
        for image in images
    ]
    for image, entry in zip(images, manifest, strict=True):
        yield from _whole(str(entry["Config"]), image.config)
    for diff_id, file in files.items():
        yield _header(_place(diff_id), file.stat().st_size)
        with file.open("rb") as source:
            yield from chunks(source)
        yield _padding(file.stat().st_size)
    yield from _whole("manifest.json", json.dumps(manifest).encode())
    yield bytes(2 * tarfile.BLOCKSIZE)


def _place(diff_id: str) -> str:
    return f"{diff_id.removeprefix('sha256:')}/layer.tar"


def _whole(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data))
    yield data + _padding(len(data))


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 1
    return member.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def chunks(source: BinaryIO) -> Iterator[bytes]:
    """Yield what a file holds, in pieces."""
    while chunk := source.read(CHUNK):
        yield chunk
