"""The results of the engine and of `opsctl stack`: a contract, with schemas in `opsctl.schemas`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from opsctl.infra.previewed import Action, Resource
from opsctl.model.value import Value


class Step(Value):
    """How far the engine is with one resource."""

    stage: Literal["started", "done", "failed"]
    action: Action
    type: str
    name: str
    took_s: float | None = None
    """Since it was started; None where it was not seen to start."""
    detail: str = ""


class Output(Value):
    """What the program of a stack hands out."""

    value: Any
    """Masked where it is secret."""
    secret: bool = False


class Applied(Value):
    """What an update or a removal has done."""

    environment: str
    changes: tuple[Resource, ...]
    """What was made, changed, replaced or deleted, in the engine's order."""
    unchanged: int
    """How many resources stayed as they are."""
    there: tuple[Resource, ...] = ()
    """All that is there now, as it was declared; of a removal nothing."""
    outputs: dict[str, Output] = {}
    duration_s: float


class StackOutputs(Value):
    """The result of `opsctl stack outputs`."""

    environment: str
    outputs: dict[str, Output]


class StackDrift(Value):
    """The result of `opsctl stack drift`: what is not as it was declared last."""

    environment: str
    verdict: Literal["none", "drift"]
    resources: tuple[Resource, ...]
    """Those that differ: `delete` is gone, `update` is another; `old` is what was declared."""
    looked_at: int
    """How many resources were looked at."""


class StackUpdate(Value):
    """One update of a stack, as its state remembers it."""

    version: int
    kind: str
    """`update`, `refresh`, `destroy`, `import`, ..."""
    result: str
    """`succeeded`, `failed`, or `in-progress`: the engine was killed."""
    started: datetime
    ended: datetime | None
    message: str
    changes: dict[str, int]
    """How many resources by what happened to them."""


class StackHistory(Value):
    """The result of `opsctl stack history`, the latest first."""

    environment: str
    updates: tuple[StackUpdate, ...]


class StackExported(Value):
    """The result of `opsctl stack export`."""

    environment: str
    file: Path
    resources: int
    pending: int
    """Operations that a killed update had begun."""
    bytes: int


class StackImported(Value):
    """The result of `opsctl stack import`."""

    environment: str
    file: Path
    resources: int
    before: Path | None
    """What the state was before, in a file; None where there was none."""


class Mended(Value):
    """One thing that a repair settled."""

    what: Literal["process", "lock", "operation", "state"]
    name: str
    """The resource, the process, or the holder of the lock."""
    found: str
    done: str


class StackRepaired(Value):
    """The result of `opsctl stack repair`; nothing is mended where nothing was broken."""

    environment: str
    mended: tuple[Mended, ...]
