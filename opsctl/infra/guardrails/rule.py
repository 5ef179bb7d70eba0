"""What a rule is, what it needs of the environment, and what it finds: values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from opsctl.infra.previewed import Preview, Resource
from opsctl.model.tiers import DrTier
from opsctl.model.value import Value


class Severity(StrEnum):
    """What follows where a rule does not hold."""

    REFUSE = "refuse"
    """Nothing is applied."""
    WARN = "warn"
    """It is said, and applied."""


class Facts(Value):
    """What rules need to know of an environment that its resources do not say."""

    dr: DrTier
    today: date
    """In UTC: what a waiver's and the environment's expiry are held against."""
    regions: tuple[str, ...]
    """Where the environment may have resources."""
    owner: str
    expires: date | None = None
    """The last day of the environment; None: it stays."""
    ephemeral: bool = False
    """Made by CI and removed by it: it has to expire, and nothing of it is protected."""
    domains: dict[str, str] = {}
    """The availability zone that each site is designed to be in; empty where nothing says it."""
    cost_usd_year: tuple[int, int | None] = (0, None)
    """The band of the latency tier: from, to; None: without an upper bound."""
    max_deletions: int = 5
    """Most resources that one update may delete or replace."""
    replace_data: tuple[str, ...] = ()
    """Names of stateful resources that may go, as the command line gave them."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that a rule finds; of the whole environment where `resource` is None."""

    resource: Resource | None
    problem: str
    unknown: bool = False
    """What would decide it is known only after the update: it may be right, or not."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over what is previewed."""

    id: str
    title: str
    """What holds where it is kept."""
    severity: Severity
    why: str
    source: str
    """Title and address of a page that can be read: `title: https://…`."""
    comply: str
    """What to do, as an imperative sentence."""
    check: Callable[[Preview, Facts], Iterator[Wrong]]
    waivable: bool = True
    """Whether the environment file may waive it; else only the command line decides."""
