"""What is designed for each pair of tiers keeps to the guardrails, before it is made and after."""

from __future__ import annotations

from typing import Any

import pytest

from opsctl.infra import aws
from opsctl.infra.guardrails import Facts, Judged, Verdict, judge
from opsctl.infra.previewed import Action, Preview, Resource
from stacks.aws.design import Design, design
from stacks.aws.places import Discovered
from tests.support.combinations import COMBINATIONS, Combination
from tests.support.declared import Stack, declared

ACCOUNT = "123456789012"
IMAGE = "ami-0123456789abcdef0"
KEY = "arn:aws:kms:{}:" + ACCOUNT + ":key/0123abcd-0000-4000-8000-0123456789ab"


def keys(one: Combination) -> dict[str, str]:
    """Return the keys that an ephemeral environment is told, by region."""
    return {at: KEY.format(at) for at in one.regions} if one.ephemeral else {}


def designed(name: str, **more: Any) -> tuple[Facts, Design]:
    """Return what is designed for a combination, and what the guardrails know of it."""
    one = COMBINATIONS[name]
    environment = one.environment(ACCOUNT, dict.fromkeys(one.regions, IMAGE), **more)
    made = design(environment, environment.aws, aws.ports(environment), Discovered())
    return aws.facts(environment, made), made


def judged(facts: Facts, stack: Stack, *, made: bool) -> Judged:
    """Judge the creation of a stack, or a stack that is there."""
    resources = tuple(
        Resource(
            urn=f"urn:pulumi:books::trading::{one.type}::{one.name}",
            type=one.type,
            name=one.name,
            action=Action.SAME if made else Action.CREATE,
            parent=f"urn:pulumi:books::trading::trading:aws::{one.parent}" if one.parent else "",
            id=f"{one.name}-id" if made else "",
            inputs=one.inputs,
            protected=one.protected,
            custom=not one.type.startswith("trading:"),
        )
        for one in stack.resources
    )
    return judge(Preview(environment="books", resources=resources), facts)


@pytest.fixture(scope="module")
def every() -> dict[tuple[str, bool], Judged]:
    """What is judged of each combination, by its name and whether it is made."""
    designs = {
        name: designed(
            name, keys={at: KEY.format(at) for at in one.regions} if one.ephemeral else {}
        )
        for name, one in COMBINATIONS.items()
    }
    found = {}
    for made in (False, True):
        stacks = declared(*(plan for _, plan in designs.values()), made=made)
        for (name, (facts, _)), stack in zip(designs.items(), stacks, strict=True):
            found[name, made] = judged(facts, stack, made=made)
    return found


@pytest.mark.parametrize("made", [False, True], ids=["planned", "made"])
@pytest.mark.parametrize("name", COMBINATIONS)
def test_each_combination_keeps_to_every_rule(
    every: dict[tuple[str, bool], Judged], name: str, made: bool
) -> None:
    found = every[name, made]
    assert [(one.rule, one.resource, one.problem) for one in found.findings] == []
    assert found.verdict is Verdict.PASSED
    assert found.cost.unpriced == ()


def refused(name: str, **more: Any) -> set[tuple[str, str]]:
    """Return what refuses a combination that is set otherwise: rules, and of what."""
    facts, plan = designed(name, **more)
    (stack,) = declared(plan, made=False)
    found = judged(facts, stack, made=False)
    assert found.verdict is Verdict.REFUSED
    return {(one.rule, one.resource) for one in found.findings if one.stands}


def test_an_ephemeral_one_without_a_key_is_refused_for_what_would_lie_in_the_clear() -> None:
    assert refused("daily-cold") == {
        ("AWS-ENC-004", name) for name in ("alarms-eu-central-1", "a-vpc-flow-group")
    }


def test_machines_beyond_the_band_of_a_tier_are_refused_and_nothing_else() -> None:
    hosts = {"trading": {"type": "c7i.metal-48xl"}}
    assert refused("daily-warm", hosts=hosts) == {("AWS-COST-001", "books")}


def test_a_type_without_a_price_is_said_and_refuses_nothing() -> None:
    facts, plan = designed("weekly-hot", database={"kind": "rds", "type": "db.x9.large"})
    (stack,) = declared(plan, made=False)
    found = judged(facts, stack, made=False)
    assert {(one.rule, one.unknown) for one in found.findings} == {("AWS-COST-002", True)}
    assert found.verdict is Verdict.PASSED
    assert [line.what for line in found.cost.unpriced] == ["db.x9.large"]
