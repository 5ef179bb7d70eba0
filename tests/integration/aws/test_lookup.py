"""What a killed update may have made is found again, by what it was given: every type of it."""

from __future__ import annotations

from typing import Any

import pytest

from opsctl.infra.aws import finding
from opsctl.infra.aws import lookup as looking
from opsctl.infra.pending import Operation, Undecided
from tests.integration.aws.cases import Case
from tests.integration.aws.every import CASES
from tests.integration.aws.world import World
from tests.support.aws.direct import Made, urn
from tests.support.aws.kind import KINDS, Kind
from tests.support.aws.provider import Provider

NOT_KEPT = ("aws:ec2/placementGroup:PlacementGroup",)
"""What moto does not have, so that nobody can look it up there."""

BY_NAME = ("aws:route53/zone:Zone", "aws:budgets/budget:Budget")
"""What is known by its name and not by its tags."""

TAGGED_LATER = ("aws:route53/healthCheck:HealthCheck",)
"""What bears nothing to be known by until it is tagged; ours watches an alarm, which it names."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown late here."""
    monkeypatch.setattr(looking, "AGAIN_S", 0.0)


def making(made: Made, inputs: dict[str, Any], *recorded: str) -> Operation:
    """Return the operation that the making of something leaves when it is killed."""
    token = made.urn.split("::")[2]
    return Operation(
        kind="creating",
        urn=made.urn,
        type=token,
        name="it",
        inputs={**made.inputs, **inputs},
        provider={"region": "eu-central-1"},
        recorded=recorded,
    )


def test_every_type_can_be_looked_up_or_is_made_but_once() -> None:
    assert sorted(KINDS) == sorted((*finding.KINDS, *finding.ONCE))


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.token in finding.KINDS and case.token not in NOT_KEPT],
    ids=lambda case: case.token.rpartition("/")[2],
)
def test_what_was_made_is_found_and_nothing_else(
    case: Case, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct, inputs = world.direct, case.inputs(world)
    if KINDS[case.token].tagged():
        inputs = {**inputs, "tags": {"environment": "books", "Name": f"books-{case.token[-20:]}"}}
    found = looking.in_account(world.server.account)
    declared = Made(urn(case.token, "it"), "", direct.checked(case.token, "it", inputs), {})
    operation, at_once = making(declared, inputs), []
    configure = Provider._configure

    def just_made(provider: Provider, kind: Kind, id_: str, *properties: dict[str, Any]) -> None:
        """Look it up where a kill leaves it: made, and nothing else done to it yet."""
        at_once.append((id_, found(operation)))
        configure(provider, kind, id_, *properties)

    with monkeypatch.context() as patched:
        patched.setattr(Provider, "_configure", just_made)
        made = direct.create(case.token, "it", inputs)
    try:
        assert at_once == [(made.id, None if case.token in TAGGED_LATER else made.id)]
        assert found(operation) == made.id
        assert found(making(made, inputs, made.id)) is None  # the state knows that one
        if KINDS[case.token].tagged():
            others = {**operation.inputs, "tags": {**inputs["tags"], "environment": "other"}}
            strange = operation.model_copy(update={"inputs": others})
            if case.token not in BY_NAME:
                assert found(strange) is None
    finally:
        direct.delete(made)
    if not case.lasting:
        assert found(operation) is None


def test_what_aws_cannot_be_asked_is_left_to_a_person(world: World) -> None:
    token = "aws:ec2/vpc:Vpc"
    operation = Operation(
        kind="creating", urn="u", type=token, name="it", inputs={"tags": {"Name": "it"}}
    )
    found = looking.in_account(world.server.account)
    with pytest.raises(Undecided, match="which region"):
        found(operation)
    elsewhere = operation.model_copy(update={"provider": {"region": "eu-nowhere-1"}})
    with pytest.raises(Undecided, match="AWS"):
        found(elsewhere)
    with pytest.raises(Undecided, match="how a aws:sqs"):
        found(operation.model_copy(update={"type": "aws:sqs/queue:Queue"}))
    untagged = operation.model_copy(update={"inputs": {}, "provider": {"region": "eu-central-1"}})
    with pytest.raises(Undecided, match="no tags"):
        found(untagged)


def test_of_two_that_bear_its_tags_nobody_knows_which(world: World) -> None:
    inputs = {"cidrBlock": "10.44.0.0/16", "tags": {"environment": "books", "Name": "books-two"}}
    first = world.direct.create("aws:ec2/vpc:Vpc", "first", inputs)
    second = world.direct.create("aws:ec2/vpc:Vpc", "second", inputs)
    try:
        with pytest.raises(Undecided, match=f"there are 2 .*{first.id}"):
            looking.in_account(world.server.account)(making(second, inputs))
        # A replacement is made before its predecessor goes, which the state knows.
        found = looking.in_account(world.server.account)
        assert found(making(second, inputs, first.id)) == second.id
    finally:
        world.direct.delete(first)
        world.direct.delete(second)
