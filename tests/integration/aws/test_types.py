"""Each resource type does what it is asked, and says what is: against boto3, not itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.aws.cases import Case
from tests.integration.aws.every import CASES
from tests.integration.aws.world import OWNER, World
from tests.support.aws import wire
from tests.support.aws.direct import Made
from tests.support.aws.kind import KINDS
from tests.support.aws.wire import UNKNOWN


def changed(inputs: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return inputs with some set and those that are None taken away."""
    merged = {**inputs, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def paths(answer: Any) -> list[str]:
    """Return what an answer to Diff says is different, without what tags come to."""
    return sorted(path for path in answer.detailedDiff if not path.startswith("tagsAll"))


def test_every_type_that_is_served_has_its_case() -> None:
    assert sorted(case.token for case in CASES) == sorted(KINDS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.token.rpartition("/")[2])
def test_a_type_from_making_to_deleting(case: Case, world: World) -> None:
    direct, inputs, kind = world.direct, case.inputs(world), KINDS[case.token]
    if kind.tagged():
        inputs = {"tags": {"what": "case"}, **inputs}
    foreseen = direct.preview(case.token, "it", inputs)
    made = direct.create(case.token, "it", inputs)
    try:
        # What it is, as asked: by a client of our own, and by the provider's outputs.
        assert case.looks(world.server.client, made) == case.seen
        for name, value in inputs.items():
            assert wire.as_declared(value, made.outputs.get(name)) == value, name
        # A preview knew of no output that came out otherwise, and had all of them.
        for name, value in foreseen.items():
            as_foreseen = wire.as_declared(value, made.outputs.get(name))
            assert value in (UNKNOWN, as_foreseen), name
        assert not set(made.outputs) - set(foreseen) - {"id"}
        _stays_as_it_is(world, case, made, inputs)
        if case.drifted:
            made = _drifts(world, case, made, inputs)
        if case.update:
            made, inputs = _updated(world, case, made, inputs)
        if kind.tagged():
            made = _retagged(world, made, inputs)
            inputs = {**inputs, "tags": {"other": "tag"}}
        if case.replace:
            answer = direct.diff(made, changed(inputs, dict(case.replace)))
            assert list(answer.replaces) == sorted(case.replace)
        if case.drift and not case.drifted:
            case.drift(world.server.client, made)
            assert direct.refresh(made) is None
    finally:
        direct.delete(made)
    if not case.lasting:
        assert direct.refresh(made) is None
        direct.delete(made)  # what is gone already is no error


def test_a_rule_for_the_addresses_of_a_gateway(world: World) -> None:
    direct = world.direct
    endpoint = direct.create(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "s3",
        {"vpcId": world.vpc.id, "serviceName": "com.amazonaws.eu-central-1.s3"},
    )
    inputs = {
        "securityGroupId": world.group.id,
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "prefixListId": endpoint["prefixListId"],
        "description": "backups",
    }
    rule = direct.create(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "backups", inputs
    )
    groups = world.server.client("ec2").describe_security_groups(GroupIds=[world.group.id])
    [group] = groups["SecurityGroups"]
    [permission] = [one for one in group["IpPermissionsEgress"] if one["PrefixListIds"]]
    assert permission["PrefixListIds"][0]["PrefixListId"] == endpoint["prefixListId"]
    refreshed = direct.refresh(rule)
    assert refreshed is not None
    assert paths(direct.diff(refreshed, inputs)) == []
    direct.delete(rule)
    assert direct.refresh(rule) is None
    direct.delete(endpoint)


def _stays_as_it_is(world: World, case: Case, made: Made, inputs: dict[str, Any]) -> None:
    direct = world.direct
    assert paths(direct.diff(made, inputs)) == []
    refreshed = direct.refresh(made)
    assert refreshed is not None
    assert paths(direct.diff(refreshed, inputs)) == []
    # Nothing flickers: what a refresh sees is what making it said.
    assert refreshed.inputs == made.inputs
    assert refreshed.outputs == made.outputs
    if "region" in inputs:  # an import by id looks in the provider's region
        return
    adopted = direct.adopt(case.token, "it", made.id)
    assert adopted is not None
    # What is imported by its id alone is the same, but for what AWS has no notion of.
    guides = KINDS[case.token].guides
    own = {name: value for name, value in made.outputs.items() if name not in guides}
    assert adopted.outputs == own


def _updated(
    world: World, case: Case, made: Made, inputs: dict[str, Any]
) -> tuple[Made, dict[str, Any]]:
    direct, wanted = world.direct, changed(inputs, dict(case.update))
    answer = direct.diff(made, wanted)
    tops = {re.split(r"[.\[]", path)[0] for path in paths(answer)}
    assert tops == set(case.update)
    assert list(answer.replaces) == []
    made = direct.update(made, wanted)
    assert case.looks(world.server.client, made) == case.updated
    _stays_as_it_is(world, case, made, wanted)
    return made, wanted


def _retagged(world: World, made: Made, inputs: dict[str, Any]) -> Made:
    assert made["tagsAll"] == {**OWNER, **inputs["tags"]}
    retagged = world.direct.update(made, {**inputs, "tags": {"other": "tag"}})
    assert retagged["tagsAll"] == {**OWNER, "other": "tag"}
    refreshed = world.direct.refresh(retagged)
    assert refreshed is not None
    assert refreshed["tagsAll"] == {**OWNER, "other": "tag"}
    assert refreshed["tags"] == {"other": "tag"}
    return retagged


def _drifts(world: World, case: Case, made: Made, inputs: dict[str, Any]) -> Made:
    assert case.drift is not None
    case.drift(world.server.client, made)
    found = world.direct.refresh(made)
    assert found is not None
    tops = {re.split(r"[.\[]", path)[0] for path in paths(world.direct.diff(found, inputs))}
    assert tops == {case.drifted}
    # And what was declared comes back.
    mended = world.direct.update(found, inputs)
    refreshed = world.direct.refresh(mended)
    assert refreshed is not None
    assert paths(world.direct.diff(refreshed, inputs)) == []
    return refreshed
