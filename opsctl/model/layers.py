"""Layers of settings: each value remembers where it came from, and the upper layer wins.

A layer is a tree: mappings down to leaves, a leaf being anything else (an empty mapping
too) with its origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from opsctl.model.faults import Path
from opsctl.model.value import Value


class Origin(Value):
    """Where a value came from."""

    kind: Literal["flag", "file", "tier default", "default"]
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return `flag`, `Pulumi.daily.yaml, line 7`, `tier default` or `default`."""
        if self.kind != "file":
            return self.kind
        return f"{self.file}, line {self.line}" if self.line else self.file


class Leaf(Value):
    """A value and its origin."""

    value: Any
    origin: Origin


Tree = dict[str, "Tree | Leaf"]

DEFAULT = Origin(kind="default")
TIER_DEFAULT = Origin(kind="tier default")


def overlay(below: Tree, above: Tree) -> Tree:
    """Return both layers as one; an empty mapping above changes nothing below it."""
    result = dict(below)
    for key, upper in above.items():
        lower = below.get(key)
        if isinstance(lower, dict) and isinstance(upper, dict):
            result[key] = overlay(lower, upper)
        elif not (isinstance(lower, dict) and isinstance(upper, Leaf) and upper.value == {}):
            result[key] = upper
    return result


def plain(tree: Tree) -> dict[str, Any]:
    """Return the values alone."""
    return {
        key: plain(item) if isinstance(item, dict) else item.value for key, item in tree.items()
    }


def origin_at(tree: Tree, path: Path) -> Origin | None:
    """Return the origin of a path: its leaf's, or that of any leaf below it; None without one."""
    item: Tree | Leaf = tree
    for key in path:
        if isinstance(item, Leaf) or key not in item:
            break
        item = item[key]
    else:
        while isinstance(item, dict) and item:
            item = next(iter(item.values()))
    return item.origin if isinstance(item, Leaf) else None


def leaves(values: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the path and value of every leaf of nested mappings; an empty mapping is a leaf."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value
