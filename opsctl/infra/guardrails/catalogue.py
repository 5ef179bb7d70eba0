"""The catalogue: every rule, by theme."""

from __future__ import annotations

from opsctl.infra.guardrails import (
    change,
    cost,
    deletion,
    encryption,
    identity,
    metadata,
    network,
    places,
    tags,
)
from opsctl.infra.guardrails.rule import Rule

THEMES: dict[str, tuple[Rule, ...]] = {
    "Encryption": encryption.RULES,
    "Network": network.RULES,
    "Identity": identity.RULES,
    "Metadata service": metadata.RULES,
    "Deletion": deletion.RULES,
    "Tags, owner and expiry": tags.RULES,
    "Regions and failure domains": places.RULES,
    "Blast radius": change.RULES,
    "Cost": cost.RULES,
}
RULES: tuple[Rule, ...] = tuple(rule for rules in THEMES.values() for rule in rules)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}
