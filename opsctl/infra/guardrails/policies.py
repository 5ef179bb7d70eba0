"""Reading policies: the statements of a document in IAM's language."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from opsctl.infra.guardrails.reading import unknown


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy, its names of actions in lower case."""

    allows: bool
    actions: tuple[str, ...]
    but_actions: tuple[str, ...]
    """`NotAction`: every action but these."""
    resources: tuple[str, ...]
    but_resources: tuple[str, ...]
    principals: tuple[str, ...]
    """Of every kind; `*` is anybody."""
    federated: tuple[str, ...]
    condition: dict[str, Any]

    @property
    def anybody(self) -> bool:
        """Whether it speaks of everybody, known to AWS or not."""
        return "*" in self.principals

    @property
    def everything(self) -> bool:
        """Whether it speaks of resources without naming any."""
        return "*" in self.resources or bool(self.but_resources)

    def covers(self, action: str) -> bool:
        """Whether it speaks of an action, such as `iam:passrole`."""
        if self.but_actions:
            return not any(fnmatchcase(action, one) for one in self.but_actions)
        return any(fnmatchcase(action, one) for one in self.actions)


def statements(value: Any) -> tuple[Statement, ...] | None:
    """Return the statements of a policy, none where there is none; None where they are unknown.

    What is no policy, or holds a part that is unknown, is unknown as well.
    """
    if value is None or value == "":
        return ()
    if unknown(value):
        return None
    try:
        document = json.loads(value) if isinstance(value, str) else value
        found = [_statement(one) for one in _list(document.get("Statement"))]
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    return tuple(found)


def _statement(one: dict[str, Any]) -> Statement:
    principal = one.get("Principal", {})
    kinds = {"AWS": principal} if isinstance(principal, str) else principal
    principals = [name for names in kinds.values() for name in _words(names)]
    condition = one.get("Condition") or {}
    if unknown(condition):
        raise ValueError("its condition is unknown")
    return Statement(
        allows=one["Effect"] == "Allow",
        actions=tuple(word.lower() for word in _words(one.get("Action"))),
        but_actions=tuple(word.lower() for word in _words(one.get("NotAction"))),
        resources=_words(one.get("Resource")),
        but_resources=_words(one.get("NotResource")),
        principals=tuple(principals),
        federated=_words(kinds.get("Federated")),
        condition=condition,
    )


def _words(value: Any) -> tuple[str, ...]:
    words = tuple(str(one) for one in _list(value))
    if any(map(unknown, words)):
        raise ValueError("a part of it is unknown")
    return words


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
