"""Where settings come from: one file or one flag, as a layer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from opsctl.model.documents import DEPTH, Document
from opsctl.model.environment import Environment
from opsctl.model.explain import meant
from opsctl.model.faults import NAMESPACE, Fault, Path, key_of, written
from opsctl.model.layers import Leaf, Origin, Tree
from opsctl.model.migrations import FIRST, Unmigratable, migrate

EXTENDS, FORMAT_KEY = "extends", "format"
FIELDS = {key_of(field): field for field in Environment.model_fields if field != "name"}
"""The keys of an environment file, and the fields of the model that they set."""
STRUCTURED = frozenset(
    {
        *("aws", "onprem", "ephemeral", "limits", "venue", "replay", "strategy", "drills"),
        *("images", "hosts", "books", "services", "settings"),
    }
)
_KEYS = (*FIELDS, EXTENDS, FORMAT_KEY)


def of_document(document: Document, faults: list[Fault]) -> Tree:
    """Return the settings of one document as a layer; what it may not hold goes to `faults`."""

    def fault(path: Path, shown: str, problem: str) -> None:
        faults.append(
            Fault(path=shown, problem=problem, file=document.file, line=document.line(path))
        )

    settings: dict[str, Any] = {}
    for key, value in document.config.items():
        namespace, colon, rest = key.partition(":")
        if not colon:
            near = meant(key, _KEYS)
            right = f"did you mean {NAMESPACE}:{near}?" if near else "write NAMESPACE:KEY"
            fault((key,), key, f"is no key of Pulumi's: {right}")
        elif namespace == NAMESPACE:
            settings[rest] = value
    version = settings.pop(FORMAT_KEY, FIRST)
    try:
        settings = migrate(settings, version)
    except Unmigratable as why:
        fault((f"{NAMESPACE}:{FORMAT_KEY}",), f"{NAMESPACE}:{FORMAT_KEY}", str(why))
        return {}
    settings.pop(EXTENDS, None)
    tree: Tree = {}
    for key, value in settings.items():
        path, shown = (f"{NAMESPACE}:{key}",), f"{NAMESPACE}:{key}"
        if key not in FIELDS:
            fault(path, shown, _unknown(key))
            continue
        content = _structured(FIELDS[key], value)
        bad = False
        for where, problem in _forbidden(content, (FIELDS[key],)):
            fault((*path, *where[1:]), written(where), problem)
            bad = True
        if not bad:
            tree[FIELDS[key]] = _mark(content, path, document)
    return tree


def _unknown(key: str) -> str:
    head, dot, rest = key.partition(".")
    if dot and head in FIELDS:
        return f"write it as a mapping: `{NAMESPACE}:{head}:` and below it `{rest}: ...`"
    near = meant(key, _KEYS)
    if near:
        return f"is no setting: did you mean {NAMESPACE}:{near}?"
    return "is no setting: known are " + ", ".join(sorted(_KEYS))


def _forbidden(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield where a value is a secret, or nothing at all, or without end."""
    if len(path) > DEPTH:
        yield path[:3], "is nested too deeply"
    elif value is None:
        yield path, "has no value: give one, or remove the line"
    elif isinstance(value, Mapping):
        if set(value) == {"secure"}:
            yield (
                path,
                "must not be `secure:`: opsctl keeps the secrets, an environment file has none",
            )
            return
        for key, item in value.items():
            yield from _forbidden(item, (*path, str(key)))


def _structured(field: str, value: object) -> object:
    # `pulumi config set trading:limits '{...}'` stores JSON as text; Pulumi reads both.
    if field not in STRUCTURED or not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        return value


def _mark(value: object, path: Path, document: Document) -> Tree | Leaf:
    if isinstance(value, Mapping) and value:
        return {str(key): _mark(item, (*path, str(key)), document) for key, item in value.items()}
    origin = Origin(kind="file", file=document.file, line=document.line(path))
    return Leaf(value=value, origin=origin)


def of_flag(flag: str, value: str, faults: list[Fault]) -> Tree:
    """Return one flag as a layer."""
    head, *rest = flag.split(".")
    field = FIELDS.get(key_of(head))
    if field is None:
        problem = _unknown(key_of(head))
        faults.append(Fault(path=f"{NAMESPACE}:{head}", problem=problem, file="flag"))
        return {}
    content = value if rest else _structured(field, value)
    for key in reversed(rest):
        content = {key: content}
    wrong = list(_forbidden(content, (field,)))
    faults.extend(Fault(path=written(at), problem=why, file="flag") for at, why in wrong)
    return {} if wrong else {field: _from_flag(content)}


def _from_flag(value: object) -> Tree | Leaf:
    if isinstance(value, Mapping) and value:
        return {str(key): _from_flag(item) for key, item in value.items()}
    return Leaf(value=value, origin=Origin(kind="flag"))
