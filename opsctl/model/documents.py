"""The text of an environment file as a document: its values, and the line of each.

Read as Pulumi reads it, which is YAML 1.2: only `true` and `false` are booleans. Numbers
with a point become Decimal, so that a price limit keeps the digits that were written.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import yaml
from pydantic import ConfigDict

from opsctl.model.faults import Fault
from opsctl.model.value import Value

CONFIG = "config"
DEPTH = 50
NODES = 20_000
"""No document is nested deeper or holds more, so that none can fill the memory."""

_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False}
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_DECIMAL = re.compile(
    r"[-+]?([0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40}|[0-9]{1,40})([eE][-+]?[0-9]{1,3})?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Document(Value):
    """One environment file: the mapping under `config:`, and the line of every path in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str
    config: dict[str, Any]
    lines: dict[tuple[str, ...], int] = {}
    faults: tuple[Fault, ...] = ()

    @property
    def file(self) -> str:
        """The name of the file that Pulumi gives this stack."""
        return f"Pulumi.{self.name}.yaml"

    def line(self, path: tuple[str, ...]) -> int | None:
        """Return the line of a path, or of the nearest mapping around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None


class _Unreadable(Exception):
    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(problem)
        self.problem, self.line = problem, line


class Text(Value):
    """What the text of a file holds: the value of its root, the line of every path in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    root: Any
    readable: bool = True
    lines: dict[tuple[str, ...], int] = {}
    faults: tuple[Fault, ...] = ()

    def line(self, path: tuple[str, ...]) -> int | None:
        """Return the line of a path, or of the nearest value around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None


def read(file: str, text: str) -> Text:
    """Return what a file's text holds; its faults say why it cannot be read."""
    reader = _Reader(file)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = {} if node is None else reader.value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return reader.unreadable(f"is no YAML: {said}", mark.line + 1 if mark else None)
    except yaml.YAMLError as error:
        return reader.unreadable(f"is no YAML: {str(error).splitlines()[0]}", None)
    except RecursionError:
        return reader.unreadable("is nested too deeply", None)
    except _Unreadable as error:
        return reader.unreadable(error.problem, error.line)
    return Text(root=value, lines=reader.lines, faults=tuple(reader.faults))


def parse(name: str, text: str) -> Document:
    """Return the document of a file's text; what cannot be read is among its faults."""
    file = f"Pulumi.{name}.yaml"
    found = read(file, text)
    root, problem, line = found.root, "", 1
    if not found.readable:
        return Document(name=name, config={}, faults=found.faults)
    config = (root.get(CONFIG) or {}) if isinstance(root, dict) else {}
    if not isinstance(root, dict):
        problem = "must be a mapping with `config:`"
    elif root.get(CONFIG) is not None and not isinstance(root[CONFIG], dict):
        problem, line = "`config:` must be a mapping", found.lines[CONFIG,]
    if problem:
        fault = Fault(path="", problem=problem, file=file, line=line)
        return Document(name=name, config={}, faults=(*found.faults, fault))
    lines = {path[1:]: at for path, at in found.lines.items() if path[0] == CONFIG and path[1:]}
    return Document(name=name, config=config, lines=lines, faults=found.faults)


class _Reader:
    """Takes the values out of YAML nodes; notes the line and the duplicates of every key."""

    def __init__(self, file: str) -> None:
        self.lines: dict[tuple[str, ...], int] = {}
        self.faults: list[Fault] = []
        self._file = file
        self._seen = 0

    def unreadable(self, problem: str, line: int | None) -> Text:
        fault = Fault(path="", problem=problem, file=self._file, line=line)
        return Text(root=None, readable=False, lines=self.lines, faults=(*self.faults, fault))

    def value(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        self._seen += 1
        line = node.start_mark.line + 1
        if len(path) > DEPTH:
            raise _Unreadable("is nested too deeply", line)
        if self._seen > NODES:
            raise _Unreadable(f"holds more than {NODES} values, anchors unfolded", line)
        if node.tag not in _TAGS:
            raise _Unreadable(f"the tag {node.tag} has no meaning here", line)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            for at, item in enumerate(node.value):
                self.lines[*path, str(at)] = item.start_mark.line + 1
            return [self.value(item, (*path, str(at))) for at, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: yaml.Node, path: tuple[str, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Unreadable("a key must be text", line)
            key = str(key_node.value)
            if key in result:
                shown = ".".join((*path, key)).removeprefix(f"{CONFIG}.")
                problem = f"is given twice, first on line {self.lines[*path, key]}: keep one"
                self.faults.append(Fault(path=shown, problem=problem, file=self._file, line=line))
            self.lines[*path, key] = line
            result[key] = self.value(value_node, (*path, key))
        return result


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style is not None:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text
