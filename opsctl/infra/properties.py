"""Which properties of a resource are another, as a person reads it; from the engine's words.

Pure. The engine names a property by a path (`tags.owner`, `ingress[0].fromPort`,
`tags["a.b"]`), and says of each whether the resource has to be replaced for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from opsctl.infra.previewed import SECRET, UNKNOWN, Property

Path = tuple[str | int, ...]

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's word for a value that is determined later."""
_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks a value of a special kind, and the kind `secret`."""
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of one
_STEP = re.compile(
    r"""\["(?P<quoted>(?:[^"\\]|\\.)*)"\] | \[(?P<index>\d+)\] | \.?(?P<name>[^.\[\]]+)""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[^.\[\]\"]+")
HIDDEN = "__"
"""What begins so is the engine's own: defaults, the code of a dynamic provider."""

ALL_TAGS = "tagsAll"
"""The tags of a resource together with those that its provider gives to everything."""


class Kind(Protocol):
    """How one property differs, in the engine's words."""

    diff_kind: Any
    """`add`, `delete`, `update`, each also with `-replace`."""
    input_diff: bool
    """Whether what was declared is compared, not what is there."""


def parsed(path: str) -> Path:
    """Return the steps of a path: names, and numbers of elements."""
    steps: list[str | int] = []
    for found in _STEP.finditer(path):
        if found["index"] is not None:
            steps.append(int(found["index"]))
        elif found["quoted"] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", found["quoted"]))
        else:
            steps.append(found["name"])
    return tuple(steps)


def written(path: Path) -> str:
    """Return a path as a person writes it; the other way round of `parsed`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            escaped = re.sub(r'(["\\])', r"\\\1", step)
            text += f'["{escaped}"]'
    return text


def readable(value: Any) -> Any:
    """Return a value of the engine for a reader: secrets masked, later ones named so.

    Numbers that are whole come as such (the engine's are all floating).
    """
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return SECRET
        return {k: readable(v) for k, v in value.items() if not str(k).startswith(HIDDEN)}
    if isinstance(value, list | tuple):
        return [readable(each) for each in value]
    if value == _UNKNOWN:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def at(value: Any, path: Path) -> Any:
    """Return what lies at a path of a value; None where nothing does."""
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def named(
    diff: Mapping[str, Kind],
    *,
    declared: tuple[Any, Any],
    there: tuple[Any, Any],
) -> tuple[Property, ...]:
    """Return the properties that the engine's detailed diff names.

    `declared` and `there` are the inputs and the state of the resource, before and after.
    """
    found = []
    for text in sorted(diff):
        path, kind = parsed(text), diff[text]
        if not path or str(path[0]).startswith(HIDDEN):
            continue
        word = str(getattr(kind.diff_kind, "value", kind.diff_kind))
        first, second = (declared, there) if kind.input_diff else (there, declared)
        found.append(
            Property(
                path=written(path),
                old=None if word.startswith("add") else _either(0, path, first, second),
                new=None if word.startswith("delete") else _either(1, path, first, second),
                replaces=word.endswith("-replace"),
            )
        )
    return _once(found)


def compared(old: Any, new: Any, replacing: tuple[str, ...] = ()) -> tuple[Property, ...]:
    """Return the properties in which two states differ, where the engine does not name them.

    `replacing` are the properties for which the resource has to be replaced.
    """
    return _once(
        [
            Property(path=written(path), old=before, new=after, replaces=path[0] in replacing)
            for path, before, after in _differing(readable(old or {}), readable(new or {}), ())
        ]
    )


def _once(found: Sequence[Property]) -> tuple[Property, ...]:
    """Return properties without those that repeat a tag: with what the provider adds to all."""
    named = {one.path for one in found}
    return tuple(
        one
        for one in found
        if not (one.path.startswith(ALL_TAGS) and one.path.replace(ALL_TAGS, "tags", 1) in named)
    )


def _either(index: int, path: Path, first: tuple[Any, Any], second: tuple[Any, Any]) -> Any:
    found = at(readable(first[index]), path)
    return at(readable(second[index]), path) if found is None else found


def _differing(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _differing(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differing(before, after, (*path, index))
    elif old != new:
        yield path, old, new
