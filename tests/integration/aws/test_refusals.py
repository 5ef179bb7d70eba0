"""What AWS refuses is refused: at plan time where it can be known, else when it is made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.aws.cases import policy
from tests.integration.aws.every import CASES
from tests.integration.aws.refused import PLANNED
from tests.integration.aws.world import World
from tests.support.aws import schema
from tests.support.aws.cloud import Cloud, Refused
from tests.support.aws.direct import Aborted, Direct
from tests.support.aws.server import AwsServer


@pytest.mark.parametrize(
    ("token", "inputs", "at", "why"),
    PLANNED,
    ids=[f"{one[0].rpartition(':')[2]}-{one[2]}-{n}" for n, one in enumerate(PLANNED)],
)
def test_what_is_refused_before_anything_is_made(
    world: World, token: str, inputs: dict[str, Any], at: str, why: str
) -> None:
    refused = world.direct.refusals(token, inputs)
    assert at in refused
    assert why in refused[at]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.token.rpartition("/")[2])
def test_an_unknown_property_of_any_type_is_refused(case: Any, world: World) -> None:
    refused = world.direct.refusals(case.token, {"nonsense": 1})
    assert "not expected here" in refused["nonsense"]
    for name in schema.read()[case.token]["required"]:
        assert "Missing required argument" in refused[name]


def test_what_is_unknown_yet_is_not_refused(world: World) -> None:
    from tests.support.aws.wire import UNKNOWN

    answer = world.direct.check(
        "aws:ec2/subnet:Subnet", "it", {"vpcId": UNKNOWN, "cidrBlock": UNKNOWN}
    )
    assert list(answer.failures) == []


MADE: list[tuple[str, Any, str]] = [
    (
        "aws:ec2/subnet:Subnet",
        lambda w: {"vpcId": "vpc-0123456789abcdef0", "cidrBlock": "10.0.7.0/24"},
        "InvalidVpcID.NotFound",
    ),
    (
        "aws:ec2/subnet:Subnet",
        lambda w: {"vpcId": w.vpc.id, "cidrBlock": "10.77.0.0/24"},
        "InvalidSubnet.Range",
    ),
    (
        "aws:ec2/subnet:Subnet",
        lambda w: {"vpcId": w.subnet_a["vpcId"], "cidrBlock": "10.0.1.128/25"},
        "InvalidSubnet.Conflict",
    ),
    (
        "aws:ec2/instance:Instance",
        lambda w: {"ami": "ami-00000000", "instanceType": "t3.micro", "subnetId": w.subnet_a.id},
        "InvalidAMIID.NotFound",
    ),
    (
        "aws:ec2/instance:Instance",
        lambda w: {"ami": w.image, "instanceType": "c9.huge", "subnetId": w.subnet_a.id},
        "InvalidInstanceType",
    ),
    (
        "aws:ec2/instance:Instance",
        lambda w: {
            "ami": w.image,
            "instanceType": "t3.micro",
            "subnetId": w.subnet_a.id,
            "placementGroup": "nowhere",
        },
        "InvalidPlacementGroup.Unknown",
    ),
    (
        "aws:ec2/instance:Instance",
        lambda w: {
            "ami": w.image,
            "instanceType": "t3.micro",
            "subnetId": w.subnet_a.id,
            "vpcSecurityGroupIds": ["sg-0123456789abcdef0"],
        },
        "InvalidGroup.NotFound",
    ),
    (
        "aws:ec2/route:Route",
        lambda w: {
            "routeTableId": w.table.id,
            "destinationCidrBlock": "0.0.0.0/0",
            "gatewayId": "igw-0123456789abcdef0",
        },
        "InvalidInternetGatewayID.NotFound",
    ),
    (
        "aws:iam/rolePolicy:RolePolicy",
        lambda w: {"role": "nobody", "policy": policy("s3:GetObject")},
        "NoSuchEntity",
    ),
    (
        "aws:kms/alias:Alias",
        lambda w: {"name": "alias/x", "targetKeyId": "00000000-0000-0000-0000-000000000000"},
        "NotFoundException",
    ),
    (
        "aws:rds/subnetGroup:SubnetGroup",
        lambda w: {"subnetIds": [w.subnet_a.id]},
        "DBSubnetGroupDoesNotCoverEnoughAZs",
    ),
    (
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        lambda w: {
            "bucket": w.unversioned.id,
            "role": w.role["arn"],
            "rules": [{"status": "Enabled", "destination": {"bucket": w.copies["arn"]}}],
        },
        "Versioning must be 'Enabled'",
    ),
    (
        "aws:sns/topicSubscription:TopicSubscription",
        lambda w: {
            "topic": "arn:aws:sns:eu-central-1:123456789012:none",
            "protocol": "email",
            "endpoint": "a@b.example",
        },
        "NotFound",
    ),
]


@pytest.mark.parametrize(("token", "inputs", "code"), MADE, ids=[one[2] for one in MADE])
def test_what_is_refused_when_it_is_made(world: World, token: str, inputs: Any, code: str) -> None:
    with pytest.raises(Aborted, match=code.replace(".", r"\.")):
        world.direct.create(token, "refused", inputs(world))


def test_a_rule_that_is_for_nothing(world: World) -> None:
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    with pytest.raises(Aborted, match="MissingParameter"):
        world.direct.create(token, "none", {"securityGroupId": world.group.id, "ipProtocol": "-1"})


def test_a_name_that_is_taken(world: World) -> None:
    with pytest.raises(Aborted, match="BucketAlreadyOwnedByYou"):
        world.direct.create("aws:s3/bucket:Bucket", "again", {"bucket": world.plain.id})


def test_what_is_protected_is_not_deleted(world: World) -> None:
    machine = world.direct.create(
        "aws:ec2/instance:Instance",
        "protected",
        {
            "ami": world.image,
            "instanceType": "t3.micro",
            "subnetId": world.subnet_a.id,
            "disableApiTermination": True,
        },
    )
    with pytest.raises(Aborted, match="OperationNotPermitted"):
        world.direct.delete(machine)
    free = world.direct.update(
        machine,
        {
            "ami": world.image,
            "instanceType": "t3.micro",
            "subnetId": world.subnet_a.id,
            "disableApiTermination": False,
        },
    )
    world.direct.delete(free)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"region": "mars-north-1"}, "invalid AWS Region: mars-north-1"),
        ({"allowedAccountIds": json.dumps(["999999999999"])}, "AWS account ID not allowed"),
        ({"endpoints": json.dumps([{"ec2": "https://ec2.amazonaws.com"}])}, "this machine only"),
    ],
)
def test_a_provider_that_cannot_be_configured(
    server: AwsServer, settings: dict[str, str], why: str
) -> None:
    with pytest.raises(Aborted, match=why):
        Direct({"region": "eu-central-1", **settings})


def test_without_credentials_or_region(server: AwsServer) -> None:
    with pytest.raises(Refused, match="No valid credential sources"):
        Cloud({"region": "eu-central-1"}, {"AWS_ENDPOINT_URL": server.endpoint})
    with pytest.raises(Refused, match="Missing region"):
        Cloud({}, {"AWS_ENDPOINT_URL": server.endpoint})


def test_the_schema_is_what_pulumi_aws_declares() -> None:
    assert schema.FILE.read_text() == schema.text()
