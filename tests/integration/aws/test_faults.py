"""What goes wrong on the way is told to the engine so that the next update can go on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.integration.aws.world import World
from tests.support.aws.direct import Aborted, Direct, Made, urn
from tests.support.aws.faults import Faults

VPC = "aws:ec2/vpc:Vpc"
CIDR = {"cidrBlock": "10.30.0.0/16"}


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Faults of the provider in this process."""
    injected = Faults(tmp_path / "faults")
    for name, value in injected.environment.items():
        monkeypatch.setenv(name, value)
    return injected


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("denied", "UnauthorizedOperation"),
        ("throttled", "RequestLimitExceeded"),
        ("quota", "ResourceLimitExceeded"),
        ("expired", "ExpiredToken"),
        ("broken", "InternalError"),
    ],
)
def test_the_nth_call_of_a_type_fails(world: World, faults: Faults, fault: str, code: str) -> None:
    faults.fail("create", VPC, fault, nth=2)
    first = world.direct.create(VPC, "first", CIDR)
    with pytest.raises(Aborted, match=f"operation error EC2: Create, .*api error {code}: "):
        world.direct.create(VPC, "second", CIDR)
    again = world.direct.create(VPC, "second", CIDR)
    for one in (first, again):
        world.direct.delete(one)
    assert faults.calls("create") == [
        ("create", VPC, "first"),
        ("create", VPC, "second"),
        ("create", VPC, "second"),
    ]


def test_a_call_that_is_held_after_it_was_made(world: World, faults: Faults) -> None:
    vpcs = world.server.client("ec2").describe_vpcs
    before = len(vpcs()["Vpcs"])
    held, made = faults.hold("create", VPC, name="held", after=True), list[Made]()
    thread = threading.Thread(
        target=lambda: made.append(world.direct.create(VPC, "held", CIDR)), daemon=True
    )
    thread.start()
    held.reached()
    # It exists, and the engine does not know: the instant at which a kill leaves an orphan.
    assert len(vpcs()["Vpcs"]) == before + 1
    assert not made
    held.release()
    thread.join(30)
    world.direct.delete(made[0])


def test_a_call_that_is_held_before_it_is_made(world: World, faults: Faults) -> None:
    vpcs = world.server.client("ec2").describe_vpcs
    before = len(vpcs()["Vpcs"])
    held, made = faults.hold("create", VPC), list[Made]()
    thread = threading.Thread(
        target=lambda: made.append(world.direct.create(VPC, "held", CIDR)), daemon=True
    )
    thread.start()
    held.reached()
    assert len(vpcs()["Vpcs"]) == before
    held.release()
    thread.join(30)
    world.direct.delete(made[0])


def test_what_was_made_and_could_not_be_finished_is_reported_with_its_id(world: World) -> None:
    # A subscription whose filter SNS refuses: it exists by then.
    direct = world.direct
    inputs = {
        "topic": world.topic.id,
        "protocol": "https",
        "endpoint": "https://half.example.com",
        "filterPolicy": '{"severity": "not a list"}',
    }
    token = "aws:sns/topicSubscription:TopicSubscription"
    with pytest.raises(Aborted) as refused:
        direct.create(token, "half", inputs)
    half = refused.value.half_made
    assert half is not None
    assert half.id.startswith(f"{world.topic.id}:")
    assert half.inputs["endpoint"] == "https://half.example.com"
    # The next update finishes it, as the engine asks then.
    finished = direct.update(
        Made(urn(token, "half"), half.id, half.inputs, half.inputs),
        {name: value for name, value in inputs.items() if name != "filterPolicy"},
    )
    assert direct.refresh(finished) is not None
    direct.delete(finished)


def test_functions_that_stacks_call(world: World) -> None:
    direct, account = world.direct, world.server.account
    zones = direct.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {})
    assert zones["names"] == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    who = direct.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert who["accountId"] == account
    image = direct.invoke(
        "aws:ec2/getAmi:getAmi",
        {
            "owners": ["amazon"],
            "mostRecent": True,
            "filters": [{"name": "name", "values": ["*al2023*"]}],
        },
    )
    assert image["id"].startswith("ami-")
    with pytest.raises(Aborted, match="returned no results"):
        direct.invoke(
            "aws:ec2/getAmi:getAmi", {"filters": [{"name": "name", "values": ["nothing"]}]}
        )
    written = direct.invoke(
        "aws:iam/getPolicyDocument:getPolicyDocument",
        {"statements": [{"actions": ["s3:GetObject"], "resources": ["*"]}]},
    )
    assert '"Action": "s3:GetObject"' in written["json"]
    world.server.client("ssm").put_parameter(Name="/images/base", Value="ami-1", Type="String")
    found = direct.invoke("aws:ssm/getParameter:getParameter", {"name": "/images/base"})
    assert found["value"] == "ami-1"
    with pytest.raises(Aborted, match="does not serve the function"):
        direct.invoke("aws:ec2/getVpc:getVpc", {})


def test_explicit_providers_work_in_their_regions(world: World) -> None:
    abroad = Direct({"region": "us-east-1"})
    made = abroad.create(VPC, "abroad", CIDR)
    assert made["region"] == "us-east-1"
    there = world.server.client("ec2", "us-east-1").describe_vpcs(VpcIds=[made.id])["Vpcs"]
    assert len(there) == 1
    # A resource may name another region than its provider's.
    here = abroad.create(VPC, "here", {**CIDR, "region": "eu-central-1"})
    assert world.server.client("ec2").describe_vpcs(VpcIds=[here.id])["Vpcs"]
    abroad.delete(here)
    abroad.delete(made)


def test_default_tags_are_no_difference_and_one_may_be_overridden(world: World) -> None:
    inputs = {**CIDR, "tags": {"owner": "another"}}
    made = world.direct.create(VPC, "owned", inputs)
    refreshed = world.direct.refresh(made)
    assert refreshed is not None
    assert made["tagsAll"] == {"owner": "another"}
    assert not world.direct.diff(refreshed, inputs).detailedDiff
    back = world.direct.update(made, CIDR)
    assert back["tagsAll"] == {"owner": "desk"}
    world.direct.delete(back)


def test_who_keeps_its_name_is_replaced_before_its_successor_is_made(world: World) -> None:
    named = world.direct.create(
        "aws:ec2/securityGroup:SecurityGroup",
        "g",
        {"name": "fixed", "description": "one", "vpcId": world.vpc.id},
    )
    auto = world.direct.create(
        "aws:ec2/securityGroup:SecurityGroup", "g", {"description": "one", "vpcId": world.vpc.id}
    )
    other = {"description": "two", "vpcId": world.vpc.id}
    assert world.direct.diff(named, {**other, "name": "fixed"}).deleteBeforeReplace
    # A name that Pulumi made up is another for the successor.
    assert not world.direct.diff(auto, other).deleteBeforeReplace
    world.direct.delete(named)
    world.direct.delete(auto)
