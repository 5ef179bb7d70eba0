"""Slips in the text of an inventory: what Ansible would pass over, or say without a line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import yaml

from opsctl.model.value import Value

_GROUP = ("hosts", "children", "vars")
_VARIABLES = (
    "ansible_become",
    "ansible_become_exe",
    "ansible_become_flags",
    "ansible_become_method",
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_become_user",
    "ansible_connection",
    "ansible_host",
    "ansible_password",
    "ansible_pipelining",
    "ansible_port",
    "ansible_python_interpreter",
    "ansible_shell_type",
    "ansible_ssh_args",
    "ansible_ssh_common_args",
    "ansible_ssh_executable",
    "ansible_ssh_extra_args",
    "ansible_ssh_host",
    "ansible_ssh_pipelining",
    "ansible_ssh_port",
    "ansible_ssh_private_key_file",
    "ansible_ssh_timeout",
    "ansible_ssh_user",
    "ansible_timeout",
    "ansible_user",
    "opsctl_host_key",
    "opsctl_owner",
    "opsctl_profile_name",
)
_ALIKE = 0.9
"""How alike a variable is to one that we know before it is taken for a slip of it."""


class Slip(Value):
    """One slip."""

    line: int
    problem: str


def slips(text: str) -> tuple[Slip, ...]:
    """Return every slip of an inventory in YAML; of one that is no YAML, where that ends."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return (Slip(line=line, problem=f"is no YAML: {error.problem or error.context}"),)
    except yaml.YAMLError as error:
        return (Slip(line=1, problem=f"is no YAML: {error}"),)
    if root is None:
        return (Slip(line=1, problem="is empty: write all: children: hft: hosts: NAME:"),)
    if not isinstance(root, yaml.MappingNode):
        return (_at(root, "must be groups by name: all: children: hft: hosts: NAME:"),)
    return tuple(_groups(root))


def _groups(node: yaml.MappingNode) -> Iterator[Slip]:
    for key, value in node.value:
        if _empty(value):
            continue
        if not isinstance(value, yaml.MappingNode):
            yield _at(value, f"group {key.value} must hold {_words(_GROUP)}")
            continue
        yield from _doubled(value)
        for word, content in value.value:
            yield from _of_group(key.value, word, content)


def _of_group(group: str, word: Any, content: Any) -> Iterator[Slip]:
    if word.value not in _GROUP:
        near = difflib.get_close_matches(str(word.value), _GROUP, n=1, cutoff=0.5)
        mean = f"did you mean {near[0]}?" if near else f"a group holds {_words(_GROUP)}"
        yield _at(word, f"group {group} has {word.value}: {mean}")
    elif _empty(content):
        return
    elif not isinstance(content, yaml.MappingNode):
        yield _at(content, f"{word.value} of group {group} must be a mapping: a colon after a name")
    elif word.value == "children":
        yield from _groups(content)
    elif word.value == "vars":
        yield from _variables(content)
    else:
        yield from _doubled(content)
        for name, variables in content.value:
            if isinstance(variables, yaml.MappingNode):
                yield from _variables(variables)
            elif not _empty(variables):
                yield _at(variables, f"host {name.value} must hold variables, or nothing")


def _variables(node: yaml.MappingNode) -> Iterator[Slip]:
    yield from _doubled(node)
    for key, _ in node.value:
        word = str(key.value)
        if word in _VARIABLES or not word.startswith(("ansible_", "opsctl_", "ansib")):
            continue
        near = difflib.get_close_matches(word, _VARIABLES, n=1, cutoff=_ALIKE)
        if near:
            yield _at(key, f"{word}: did you mean {near[0]}?")


def _doubled(node: yaml.MappingNode) -> Iterator[Slip]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            yield _at(key, f"{key.value} is there twice: the first would be passed over")
        seen.add(key.value)


def _empty(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")


def _at(node: Any, problem: str) -> Slip:
    return Slip(line=node.start_mark.line + 1, problem=problem)


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}"
