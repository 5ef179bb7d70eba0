"""A line of the evidence log: what a command did, sealed into the chain.

`hash` is the SHA-256 of the line without it, and `previous` the hash of the line before,
so that no line can be changed, taken out or moved without the others telling.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from opsctl.model.value import Value

VERSION = 1
GENESIS = "0" * 64
"""What the first line holds as the hash of the line before it."""

Outcome = Literal["done", "failed", "interrupted"]


class Entry(Value):
    """What a command did: who, when, what, on which environment, and what came of it."""

    v: int = VERSION
    run: str
    at: datetime
    """When the command began, UTC."""
    duration_s: float | None
    """None where the command was killed, and nobody saw its end."""
    user: str
    host: str
    opsctl: str
    command: str
    environment: str | None
    identity: str | None
    """The UUID of the environment; a name may be used again."""
    arguments: dict[str, Any]
    outcome: Outcome
    exit_code: int | None
    message: str
    result: dict[str, Any]
    folder: str


class Line(Entry):
    """An entry at its place in the chain."""

    index: int
    previous: str
    hash: str


def canonical(content: Mapping[str, Any]) -> bytes:
    """Return the one JSON form of a mapping: sorted, no spaces, ASCII."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a mapping's one form; `hash` itself is not part of it."""
    return hashlib.sha256(
        canonical({key: value for key, value in content.items() if key != "hash"})
    ).hexdigest()


def seal(entry: Entry, index: int, previous: str) -> bytes:
    """Return the line of an entry, newline included."""
    content = {**entry.model_dump(mode="json"), "index": index, "previous": previous}
    content["at"] = iso(entry.at)
    return canonical({**content, "hash": digest(content)}) + b"\n"


def iso(at: datetime) -> str:
    """Return a time as UTC ISO-8601 in milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
