"""The twelve combinations of a latency tier and a DR tier on AWS, and what varies with them.

Every kind of database, of lifetime and of places stands beside every DR tier at least once:
`settings` are what an environment file says under `trading:aws`, account and images aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opsctl.model.aws import AwsSettings
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier

REGION = "eu-central-1"
APART = {"a": REGION, "b": "eu-west-1", "witness": "eu-west-2"}
"""A region for each site, near enough for a journal that may take half a second."""
OWNER = "platform"
PEOPLE = "10.20.0.0/16"
VENUE = {"network": "192.0.2.0/24", "port": 9880, "why": "the venue's FIX gateway"}


@dataclass(frozen=True)
class Combination:
    """An environment of two tiers."""

    tier: str
    dr: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its environment is called."""
        return f"{self.tier}-{self.dr}"

    @property
    def regions(self) -> tuple[str, ...]:
        """Where its sites are."""
        return tuple(dict.fromkeys(self.settings.get("regions", {"a": REGION}).values()))

    @property
    def ephemeral(self) -> bool:
        """Whether CI makes it and removes it; it makes no keys of its own, and needs to be told."""
        return bool(self.settings.get("ephemeral"))

    @property
    def unmet(self) -> bool:
        """Whether no cloud meets its tier; what is declared is a cloud's best."""
        return self.tier == "hft"

    def written(self, account: str, images: Mapping[str, str], **more: Any) -> dict[str, Any]:
        """Return all that its file says of AWS; `more` in place of what it says."""
        where = {} if "regions" in self.settings else {"region": REGION}
        least = {"account": account, "owner": OWNER, "images": dict(images)}
        return {**least, **where, **self.settings, **more}

    def environment(self, account: str, images: Mapping[str, str], **more: Any) -> Environment:
        """Return the environment that its file would be read as."""
        return Environment(
            name=self.name,
            tier=LatencyTier(self.tier),
            dr=DrTier(self.dr),
            target="docker",
            infrastructure="aws",
            aws=AwsSettings(**self.written(account, images, **more)),
        )


RDS = {"database": {"kind": "rds"}}
EPHEMERAL = {"ephemeral": True, "expires": "2099-12-31"}
TOLD = {"people": [PEOPLE], "tell": ["oncall@example.com"]}

COMBINATIONS = {
    one.name: one
    for one in (
        Combination("weekly", "cold", {"nat": "none", "backup_region": "none"}),
        Combination("weekly", "warm", {"regions": APART, "nat": "none"}),
        Combination("weekly", "hot", RDS),
        Combination("daily", "cold", {**RDS, **EPHEMERAL}),
        Combination("daily", "warm", {**RDS, **TOLD, "regions": APART}),
        Combination("daily", "hot", {"regions": APART, "ci": {"repository": "firm/trading"}}),
        Combination("intraday", "cold", {**TOLD, "reaches": [VENUE]}),
        Combination("intraday", "warm", {**EPHEMERAL, "people": [PEOPLE]}),
        Combination("intraday", "hot", {**RDS, **TOLD, "reaches": [VENUE]}),
        Combination("hft", "cold", RDS),
        Combination("hft", "warm", {"nat": "none", "lock_days": 7}),
        Combination("hft", "hot", {**EPHEMERAL, **RDS}),
    )
}
"""By name."""
