"""Archived batches of the journal: files that outlive the journal's own memory.

A file holds consecutive batches, one JSON document a line, gzip-compressed, and is named
for the first and last record in it. It is complete when it bears its name.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

SUFFIX = ".jsonl.gz"


def write(folder: Path, first: int, last: int, batches: Sequence[bytes]) -> Path:
    """Store batches (records `first` … `last`) durably; return their file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{first:020d}-{last:020d}{SUFFIX}"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
            packed.writelines(batch + b"\n" for batch in batches)
        raw.flush()
        os.fsync(raw.fileno())
    partial.rename(path)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return path


def read(folder: Path, after: int) -> Iterator[bytes]:
    """Yield the batches of the files that hold records after an index, in order.

    The first batch may begin at or before `after`: a file is read from its start.
    """
    for path in files(folder):
        if span(path)[1] > after:
            with gzip.open(path, "rb") as lines:
                yield from (line.rstrip(b"\n") for line in lines)


def files(folder: Path) -> list[Path]:
    """Return the archive's files in the order of their records."""
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


def span(path: Path) -> tuple[int, int]:
    """Return the first and the last record of a file."""
    first, _, last = path.name.removesuffix(SUFFIX).partition("-")
    return int(first), int(last)
