"""What an update would do, or has done: resources and what changes of each, as values.

Made by the engine's runs, judged by the guardrails, shown by the commands.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from opsctl.model.value import Value

SECRET = "[secret]"  # noqa: S105 - what stands in its place
"""In place of a value that nobody may read."""
UNKNOWN = "[known after]"
"""In place of a value that the provider determines when the resource is made."""


class Action(StrEnum):
    """What happens to a resource."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"


class Property(Value):
    """One property that is another; None where there is or was none."""

    path: str
    """As a person writes it: `tags.owner`, `ingress[0].fromPort`."""
    old: Any = None
    new: Any = None
    replaces: bool = False
    """Whether the resource has to be replaced for it."""


class Resource(Value):
    """A resource of a stack and what happens to it."""

    urn: str
    type: str
    """Pulumi's token: `aws:ec2/vpc:Vpc`; of our components `trading:aws:Network`."""
    name: str
    action: Action
    parent: str = ""
    """The URN of the component that it belongs to."""
    id: str = ""
    """What the provider calls it; empty before it is made."""
    inputs: dict[str, Any] = {}
    """What is declared of it, in Pulumi's own names (camel case); of one that goes, what was."""
    properties: tuple[Property, ...] = ()
    """What changes; empty where it is made or goes as a whole."""
    protected: bool = False
    custom: bool = True
    """False of a component, which only holds others together."""


class Preview(Value):
    """What an update of an environment's stack would do."""

    environment: str
    resources: tuple[Resource, ...]
    """All of them, in the engine's order; those that stay as they are included."""

    @property
    def changes(self) -> tuple[Resource, ...]:
        """Those that would not stay as they are; components left out."""
        still = (Action.SAME, Action.READ)
        return tuple(one for one in self.resources if one.custom and one.action not in still)
