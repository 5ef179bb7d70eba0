"""Whose it is, where it is, and what it costs: what the rules find, and what they let through."""

from __future__ import annotations

from datetime import date

from opsctl.infra.previewed import UNKNOWN
from opsctl.model.tiers import DrTier
from tests.support.previews import ENVIRONMENT, sound
from tests.unit.infra.guardrails.case import GONE, Case, of

FIRES = [
    of("AWS-TAG-001", "logs", "tags", None),
    of("AWS-TAG-001", "logs", "tags.owner", None),
    of("AWS-TAG-001", "host-a", "tags.dr", ""),
    of("AWS-TAG-001", "vpc-b", "tags.site", None),
    of("AWS-TAG-001", "logs", "tags", UNKNOWN, unknown=True),
    of("AWS-TAG-001", "logs", "tags.tier", UNKNOWN, unknown=True),
    Case("AWS-TAG-001", "logs", facts={"expires": date(2026, 3, 9)}, alone=False),
    of("AWS-OWN-001", "logs", "tags.owner", "somebody else"),
    Case("AWS-OWN-001", ENVIRONMENT, facts={"owner": " "}),
    Case("AWS-EXP-001", ENVIRONMENT, facts={"ephemeral": True}),
    Case("AWS-EXP-001", ENVIRONMENT, facts={"expires": date(2026, 3, 1)}),
    of("AWS-REG-001", "eu", "region", "us-east-1"),
    of("AWS-REG-001", "eu", "region", None, unknown=True),
    of("AWS-REG-001", "eu", "region", UNKNOWN, unknown=True),
    of("AWS-REG-001", "logs", "region", "us-east-1"),
    of("AWS-REG-001", "subnet-a", "availabilityZone", "eu-west-1a"),
    of("AWS-FD-001", "data-b", "availabilityZone", "eu-central-1a"),
    Case("AWS-FD-001", "host-b", {"subnet-b": {"availabilityZone": "eu-central-1a"}}),
    Case(
        "AWS-FD-001",
        "data-b",
        {"data-b": {"availabilityZone": "eu-central-1a"}},
        facts={"domains": {}},
    ),
    Case("AWS-FD-001", "host-b", {"subnet-b": {"availabilityZone": UNKNOWN}}, unknown=True),
    of("AWS-FD-001", "host-b", "tags", UNKNOWN, unknown=True),
    Case("AWS-FD-001", ENVIRONMENT, drop=("host-witness", "data-witness")),
    Case(
        "AWS-FD-001",
        ENVIRONMENT,
        facts={"domains": {"a": "z", "b": "z"}, "dr": DrTier.WARM},
        alone=False,
    ),
    Case("AWS-COST-001", ENVIRONMENT, facts={"cost_usd_year": (1_000, 10_000)}),
    of("AWS-COST-002", "host-a", "instanceType", "q9.large", unknown=True),
    of("AWS-COST-002", "host-a", "instanceType", UNKNOWN, unknown=True),
    of("AWS-COST-002", "data-a", "type", "gp9", unknown=True),
    of("AWS-COST-002", "books", "instanceClass", "db.q9.large", unknown=True),
    Case(
        "AWS-COST-002",
        ENVIRONMENT,
        facts={"regions": ("eu-central-1", "xx-far-1"), "domains": {}},
        unknown=True,
    ),
    Case("AWS-COST-003", ENVIRONMENT, drop=("budget",)),
]

HOLDS = {
    "servers of a firm's own, which nothing of AWS is declared beside": Case(
        "AWS-OWN-001", ENVIRONMENT, drop=tuple(sound()), facts={"owner": ""}
    ),
    "what goes is not judged for what it was": Case(
        "AWS-TAG-001", "logs", {"logs": {"tags": None}}, update={"logs": GONE}
    ),
    "tags that the provider gives": Case(
        "AWS-TAG-001",
        "logs",
        {"logs": {"tagsAll": sound()["logs"].inputs["tags"], "tags": {}}},
    ),
    "the last day of an environment": Case(
        "AWS-EXP-001", ENVIRONMENT, facts={"expires": date(2026, 3, 2)}
    ),
    "sites of a cold environment": Case(
        "AWS-FD-001",
        "data-b",
        {"data-b": {"availabilityZone": "eu-central-1a"}},
        facts={"dr": DrTier.COLD},
    ),
    "an ephemeral environment without a budget": Case(
        "AWS-COST-003",
        ENVIRONMENT,
        drop=("budget",),
        facts={"ephemeral": True, "expires": date(2026, 3, 2)},
    ),
    "a cost without an upper bound": Case(
        "AWS-COST-001", ENVIRONMENT, facts={"cost_usd_year": (1_000, None)}
    ),
}
