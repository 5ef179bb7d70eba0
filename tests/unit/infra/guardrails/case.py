"""One change to a preview in which nothing is found, and what is found then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opsctl.infra.guardrails import Finding, judge
from opsctl.infra.previewed import Action, Resource
from tests.support.previews import FACTS, preview, put, sound

GONE = {"action": Action.DELETE, "protected": False}
"""What is another of a resource that is taken away."""


@dataclass(frozen=True)
class Case:
    """A change to the sound preview, and what a rule says then."""

    rule: str
    about: str
    """The resource that the rule is to find."""
    put: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By resource: path -> value; None takes it out."""
    drop: tuple[str, ...] = ()
    add: tuple[Resource, ...] = ()
    update: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By resource: what else of it differs."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    unknown: bool = False
    alone: bool = True
    """Whether nothing else is found by the rule."""

    def judged(self) -> list[Finding]:
        found = sound()
        for name, inputs in self.put.items():
            for path, value in inputs.items():
                found[name] = put(found[name], path, value)
        for name, fields in self.update.items():
            found[name] = found[name].model_copy(update=dict(fields))
        for name in self.drop:
            del found[name]
        resources = [*found.values(), *self.add]
        facts = FACTS.model_copy(update=dict(self.facts))
        return list(judge(preview(resources), facts).findings)


def of(rule: str, about: str, path: str, value: Any, *, unknown: bool = False) -> Case:
    """Return the case of one value of one resource."""
    return Case(rule, about, {about: {path: value}}, unknown=unknown)
