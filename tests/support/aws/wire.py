"""Properties as Pulumi's engine sends them, and how two sets of them differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine sends for a value that is known only after an update."""

Properties = dict[str, Any]


def load(sent: struct_pb2.Struct) -> Properties:
    """Return the properties, whole numbers as such (the wire has floats only), without nulls."""
    loaded: Properties = _plain(json_format.MessageToDict(sent))
    return loaded


def dump(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return what to send; nulls are left out."""
    sent = struct_pb2.Struct()
    sent.update({name: value for name, value in properties.items() if value is not None})
    return sent


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def unknown(value: Any) -> bool:
    """Whether a value, or anything in it, is not known yet."""
    if isinstance(value, dict):
        return any(unknown(one) for one in value.values())
    if isinstance(value, list):
        return any(unknown(one) for one in value)
    return bool(value == UNKNOWN)


def known(properties: Properties) -> Properties:
    """Return those of the properties that are known as a whole."""
    return {name: value for name, value in properties.items() if not unknown(value)}


_MISSING = object()


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, `add` | `delete` | `update`) of whatever differs, as deep as both go."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from differences(
                old.get(name, _MISSING), new.get(name, _MISSING), _under(path, name)
            )
    elif isinstance(old, list) and isinstance(new, list):
        for at in range(max(len(old), len(new))):
            yield from differences(
                old[at] if at < len(old) else _MISSING,
                new[at] if at < len(new) else _MISSING,
                f"{path}[{at}]",
            )
    elif old is _MISSING or new is _MISSING:
        yield path, "add" if old is _MISSING else "delete"
    elif old != new and not same_document(old, new):
        yield path, "update"


def same_document(old: Any, new: Any) -> bool:
    """Whether two texts are the same JSON document, as IAM's policies are compared."""
    if not (isinstance(old, str) and isinstance(new, str) and old[:1] == new[:1] == "{"):
        return False
    try:
        return bool(json.loads(old) == json.loads(new))
    except ValueError:
        return False


def _under(path: str, name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_$][\w$]*", name):
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def as_declared(declared: Any, found: Any, is_map: bool = False) -> Any:
    """Return what was found of a resource in the shape of what was declared of it.

    What AWS adds to an object by itself is left out; a map (tags, parameters) is whole, since
    a key that somebody added to it is a difference.
    """
    if isinstance(declared, dict) and isinstance(found, dict) and not is_map:
        return {
            name: as_declared(declared[name], found[name]) for name in declared if name in found
        }
    if isinstance(declared, list) and isinstance(found, list) and len(declared) == len(found):
        return _matched(declared, found)
    return declared if same_document(declared, found) else found


def _matched(declared: list[Any], found: list[Any]) -> list[Any]:
    """Return what was found in the order of what was declared: most of AWS's lists are sets."""
    rest = list(found)
    matched: list[Any] = []
    for one in declared:
        shaped = [as_declared(one, other) for other in rest]
        if one not in shaped:
            break
        del rest[shaped.index(one)]
        matched.append(one)
    else:
        return matched
    return [as_declared(old, new) for old, new in zip(declared, found, strict=True)]
