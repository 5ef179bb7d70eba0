"""The results of `opsctl env`: a contract, with schemas in `opsctl.schemas`."""

from __future__ import annotations

from typing import Literal

from opsctl.model.environment import TargetName
from opsctl.model.faults import Fault
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.model.value import Value

Scalar = str | int | bool | None


class EnvironmentRow(Value):
    """One environment of a project; what its faulty file does not tell is None."""

    environment: str
    tier: LatencyTier | None
    dr: DrTier | None
    target: TargetName | None
    live: bool
    file: str
    faults: int


class FoundEnvironment(Value):
    """What an engine has of an environment, by its labels, whatever this machine knows of it."""

    environment: str
    identity: str
    """Empty where nothing but its lock or its state is left."""
    where: str
    """The engine's address."""
    containers: int
    volumes: int
    has_state: bool
    """Whether it can be gone on with; without it, it can only be destroyed."""
    held_by: str
    """The command that changes it now, with its user and machine; empty where none does."""


class EnvironmentList(Value):
    """The result of `opsctl env list`."""

    folder: str
    shipped: bool
    """Whether these are the environments that opsctl ships, for want of a project here."""
    environments: tuple[EnvironmentRow, ...]
    found: tuple[FoundEnvironment, ...] = ()
    """What the Docker Engine of this machine has, with a file or without."""


class ShownValue(Value):
    """One value of an environment, and where it came from."""

    key: str
    """As the file writes it: `trading:limits.max_order_shares`."""
    value: Scalar | dict[str, Scalar] | list[str]
    origin: Literal["flag", "file", "tier default", "default"]
    file: str
    line: int | None
    meaning: str


class EnvironmentShown(Value):
    """The result of `opsctl env show`."""

    environment: str
    file: str
    values: tuple[ShownValue, ...]
    unmet: tuple[str, ...]
    """Why its tiers cannot be met, where `allow-unmet` lets it pass; verdicts say so too."""
    rehearsal: str
    """Why its DR tier is rehearsed and not met, however well it does; empty where it is none."""


class EnvironmentNew(Value):
    """The result of `opsctl env new`: the files that were written."""

    environment: str
    files: tuple[str, ...]


class CheckedEnvironment(Value):
    """What a check of one environment found."""

    environment: str
    file: str
    verdict: Literal["passed", "failed"]
    faults: tuple[Fault, ...]
    rehearsal: str = ""
    """As `EnvironmentShown`'s; empty where the file is not sound."""


class EnvironmentCheck(Value):
    """The result of `opsctl env check`."""

    verdict: Literal["passed", "failed"]
    environments: tuple[CheckedEnvironment, ...]


class EnvironmentForgotten(Value):
    """The result of `opsctl env forget`."""

    environment: str
    identity: str
    """Of the environment that was forgotten; empty where none was known."""
