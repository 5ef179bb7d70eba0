"""Carrying images to a host without a registry: as a stream, or as a file."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from opsctl import evidence
from opsctl.errors import OpsctlError, UsageError
from opsctl.images.archive import chunks
from opsctl.images.digesting import Digesting
from opsctl.images.engine import Engine, connected, refuse_full_disk
from opsctl.images.results import CarriedImage, ImagesLoaded, ImagesSaved

STREAM = Path("-")
"""Standard output of a save, standard input of a load."""

TOLD_BYTES = 100_000_000
"""Progress is told each time so much was written."""

Say = Callable[[str], None]


def save(
    file: Path, references: Sequence[str], say: Say, *, engine: str | None = None
) -> ImagesSaved:
    """Write images of an engine as an archive: gzipped where the name ends so, `-` for stdout.

    Nothing stands at `file` before all of it is written. Raises `OpsctlError`.
    """
    with connected(engine) as host:
        carried = tuple(_carried(host, reference) for reference in references)
        digest, size = _written(file, host.export(tuple(references)), say)
    return ImagesSaved(file=str(file), sha256=digest, bytes=size, images=carried)


def _written(file: Path, archive: Iterator[bytes], say: Say) -> tuple[str, int]:
    """Write an archive; return the digest and the size of what was written."""
    partial = file.with_name(f".{file.name}.partial")
    to_file = file != STREAM
    size = told = 0
    try:
        with ExitStack() as stack:
            out = stack.enter_context(partial.open("wb")) if to_file else sys.stdout.buffer
            through = Digesting(out)
            packed: Digesting | gzip.GzipFile = through
            if file.name.endswith((".gz", ".tgz")):
                # No name and no time in it: equal images give an equal file.
                zipped = gzip.GzipFile("", "wb", 1, cast("BinaryIO", through), 0)
                packed = stack.enter_context(zipped)
            for chunk in archive:
                packed.write(chunk)
                size += len(chunk)
                if size - told > TOLD_BYTES:
                    told = size
                    say(f"{size / 1e6:.0f} MB")
        if to_file:
            partial.replace(file)
    except OSError as error:
        raise OpsctlError(
            f"{file} cannot be written: {error.strerror or error}",
            hint="name a file in a folder of yours, on a disk with room; - is standard output",
        ) from error
    finally:
        if to_file:
            partial.unlink(missing_ok=True)
    return through.digest.hexdigest(), through.bytes


def load(file: Path, *, engine: str | None = None, sha256: str | None = None) -> ImagesLoaded:
    """Put the images of an archive into an engine, and leave evidence; `-` is standard input.

    With `sha256` a file that is another is refused before anything is sent; a stream cannot
    be looked at beforehand. Raises `OpsctlError`.
    """
    if file == STREAM and sha256:
        raise UsageError("a stream is gone once its digest is known", hint="load from a file")
    if file != STREAM:
        _checked(file, sha256)
    with connected(engine) as host:
        refuse_full_disk(host)
        arguments = {"file": str(file), "engine": host.address, "sha256": sha256}
        with evidence.recorded(command="images load", arguments=arguments) as run:
            try:
                with sys.stdin.buffer if file == STREAM else file.open("rb") as raw:
                    named = host.load(chunks(raw))
            except OSError as error:
                raise _unreadable(file, error) from error
            if not named:
                raise OpsctlError(
                    f"{file} holds no image", hint="opsctl images save writes such a file"
                )
            carried = tuple(_carried(host, reference) for reference in named)
            run.result = {"images": [image.model_dump(mode="json") for image in carried]}
        return ImagesLoaded(engine=host.address, images=carried)


def _checked(file: Path, sha256: str | None) -> None:
    """Refuse a file that is not what was saved, or no archive of images at all."""
    try:
        if sha256 is not None:
            with file.open("rb") as raw:
                found = hashlib.file_digest(raw, "sha256").hexdigest()
            if found != sha256:
                raise OpsctlError(
                    f"{file} is not the file that was saved: its SHA-256 is {found}",
                    hint="carry it over again; nothing was loaded",
                )
        with tarfile.open(file) as tar:
            first = tar.next()
            while first is not None and first.name != "manifest.json":
                first = tar.next()
            inner = tar.extractfile(first) if first is not None else None
            if inner is None or not json.load(inner):
                raise ValueError("it has no manifest.json")
    except OSError as error:
        raise _unreadable(file, error) from error
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise OpsctlError(
            f"{file} is no whole archive of images: {error}",
            hint="opsctl images save writes one; carry it over again where it is cut short",
        ) from error


def _unreadable(file: Path, error: OSError) -> OpsctlError:
    return OpsctlError(
        f"{file} cannot be read: {error.strerror or error}", hint="name a file of images save"
    )


def _carried(host: Engine, reference: str) -> CarriedImage:
    found = host.find(reference)
    if found is None:
        raise UsageError(
            f"the engine at {host.address} holds no image {reference}", hint="opsctl images build"
        )
    return CarriedImage(reference=reference, id=found.id, bytes=found.bytes)
