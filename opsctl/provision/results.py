"""What `opsctl provision` and `opsctl audit host` print: a contract, with schemas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from opsctl.model.profile import judge
from opsctl.model.profile.profile import Finding, Layout, Verdict
from opsctl.model.tiers import LatencyTier
from opsctl.provision.failing import Failure
from opsctl.provision.latency import Figure

BoxVerdict = Literal["holds", "drifted", "reboot", "unreadable", "failed"]
"""The worst of a box's findings; `failed`: it could not be audited, `failure` says why."""


class Result(BaseModel):
    """Frozen as any value of ours; its `digest` is that of the profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_WORST: tuple[BoxVerdict, ...] = ("drifted", "unreadable", "reboot")


class AuditedHost(Result):
    """What the audit of one box found."""

    host: str
    profile: str
    digest: str
    verdict: BoxVerdict
    findings: tuple[Finding, ...]
    tier: LatencyTier | None = None
    machine_id: str = ""
    kernel: str = ""
    audited_before: datetime | None = None
    """When the audit was with which `since` compares."""
    since: tuple[judge.Change, ...] = ()
    """What changed between that audit and this one."""
    latency: tuple[Figure, ...] = ()
    """With `--latency`: what was counted on the trading CPUs, against the profile's bound."""
    failure: Failure | None = None


class Audited(Result):
    """What an audit found."""

    run: str
    at: datetime
    inventory: str
    verdict: BoxVerdict
    hosts: tuple[AuditedHost, ...]
    duration_s: float
    report: str = ""
    """The path of the report in HTML."""


class Difference(Result):
    """A setting that provisioning changes."""

    setting: str
    want: str
    got: str
    boot: bool
    """Whether it holds only after a reboot."""


class Held(Result):
    """How many settings of a box held, and which did not."""

    verdict: BoxVerdict
    counts: dict[Verdict, int]
    not_holding: tuple[Finding, ...]


Outcome = Literal[
    "planned",
    "unchanged",
    "changed",
    "reboot_pending",
    "drifted",
    "unreadable",
    "rolled_back",
    "failed",
]
"""`drifted`: everything was applied, and something does not hold all the same; `unreadable`:
nobody knows whether it does."""


class ProvisionedHost(Result):
    """What became of one box."""

    host: str
    outcome: Outcome
    profile: str = ""
    tier: LatencyTier | None = None
    digest: str = ""
    machine_id: str = ""
    layout: Layout | None = None
    changes: tuple[Difference, ...] = ()
    """What differed before, by setting: the plan."""
    tasks: tuple[str, ...] = ()
    """The tasks of the playbook that changed something, or with `--check` would."""
    applied: tuple[str, ...] = ()
    """The settings that the playbook changed, or with `--check` would, as it says itself."""
    continues: str = ""
    """The run that was killed at this box, which this one continued."""
    before: Held | None = None
    after: Held | None = None
    failure: Failure | None = None


class Provisioned(Result):
    """What provisioning came to."""

    run: str
    at: datetime
    inventory: str
    mode: Literal["check", "apply", "rollback"]
    hosts: tuple[ProvisionedHost, ...]
    duration_s: float


def worst(verdicts: Iterable[str]) -> BoxVerdict:
    """Return the verdict of a box by those of its findings, or of all boxes by theirs."""
    found = set(verdicts)
    if "failed" in found:
        return "failed"
    return next((verdict for verdict in _WORST if verdict in found), "holds")


def held(findings: Iterable[Finding]) -> Held:
    """Return how many held."""
    found = tuple(findings)
    fine = (Verdict.HOLDS, Verdict.NOT_APPLICABLE)
    return Held(
        verdict=worst(one.verdict for one in found),
        counts=dict(sorted(Counter(one.verdict for one in found).items())),
        not_holding=tuple(one for one in found if one.verdict not in fine),
    )
