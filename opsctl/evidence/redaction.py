"""What may be written into the evidence: JSON values, without secrets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

HIDDEN = "***"

_SECRET = re.compile(
    r"pass(word|phrase|wd)|secret|token|credential|(api|private|access|ssh)[-_]?key", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_INLINE = re.compile(
    r"\b(\w*(?:password|passwd|secret|token|api_?key)\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
    re.IGNORECASE,
)


def without_secrets(value: Any) -> Any:
    """Return a value as JSON, each secret replaced by `***`.

    A secret is what stands under a name such as `password` or `api_key`, behind a flag
    of such a name, before the @ of an address, or in a text as `password=...`.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if _SECRET.search(str(key)) and item else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return _words(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return scrubbed(str(value))


def scrubbed(text: str) -> str:
    """Return a text without the secrets that stand in it."""
    return _INLINE.sub(rf"\1{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", text))


def _words(values: Iterable[Any]) -> list[Any]:
    result: list[Any] = []
    hide = False
    for value in values:
        result.append(HIDDEN if hide else without_secrets(value))
        hide = isinstance(value, str) and value.startswith("-") and bool(_SECRET.search(value))
        hide = hide and "=" not in str(value)
    return result
