"""The parts of an environment that a cloud runs for it, and whether they are well: values.

Who asks the cloud is `opsctl.infra`; here is only what an answer comes to.
"""

from __future__ import annotations

from typing import Literal

from opsctl.model.value import Value

Kind = Literal[
    "host",
    "database",
    "storage",
    "replica",
    "alarm",
    "health-check",
    "bucket-copy",
    "key",
]
State = Literal["healthy", "unhealthy", "unknown"]


class Part(Value):
    """One thing that was asked of one managed part."""

    kind: Kind
    name: str
    """As the stack declares it: `trading-a`, `database`."""
    region: str
    id: str
    """As the cloud calls it."""
    state: State
    """`unknown`: it could not be asked, or the cloud does not know yet. That is not healthy."""
    detail: str


class Managed(Value):
    """The managed parts of an environment."""

    parts: tuple[Part, ...] = ()
    detail: str = ""
    """Why it is not known which there are; empty where it is."""

    @property
    def healthy(self) -> bool:
        """Whether every part is known to be well."""
        return not self.detail and all(part.state == "healthy" for part in self.parts)
