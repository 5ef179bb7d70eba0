"""The real engine on the provider: what a stack goes through, by plain `pulumi`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.aws.plain import PlainPulumi
from tests.support.aws.server import AwsServer, aws_server
from tests.support.process import processes

PROGRAM = """
import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

account = aws.get_caller_identity().account_id
zones = aws.get_availability_zones(state="available").names
main = aws.Provider(
    "main",
    region="eu-central-1",
    allowed_account_ids=[{account!r} or account],
    default_tags={{"tags": {{"environment": "daily"}}}},
)
abroad = aws.Provider("abroad", region="eu-west-1")
here = ResourceOptions(provider=main)
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags={{"owner": {owner!r}}}, opts=here)
subnets = [
    aws.ec2.Subnet(
        f"subnet-{{zone}}",
        vpc_id=vpc.id,
        cidr_block=f"10.0.{{at}}.0/24",
        availability_zone=zone,
        opts=here,
    )
    for at, zone in enumerate(zones[:2])
]
group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description={group!r}, opts=here)
aws.vpc.SecurityGroupIngressRule(
    "etcd",
    security_group_id=group.id,
    ip_protocol="tcp",
    from_port=2379,
    to_port=2380,
    cidr_ipv4=vpc.cidr_block,
    opts=here,
)
key = aws.kms.Key("key", enable_key_rotation=True, opts=here)
backups = aws.s3.Bucket("backups", opts=ResourceOptions(provider=abroad))
pulumi.export("vpc", vpc.id)
pulumi.export("arn", key.arn)
pulumi.export("backups", backups.bucket)
"""

FAILED = 1
"""The exit code of an engine that could not do all of what it was asked."""

NAMES = sorted(
    ["vpc", "subnet-eu-central-1a", "subnet-eu-central-1b", "group", "etcd", "key", "backups"]
)


def program(owner: str = "desk", group: str = "hosts", account: str = "") -> str:
    """Return the program with some of its settings."""
    return PROGRAM.format(owner=owner, group=group, account=account)


@pytest.fixture
def own_server() -> Iterator[AwsServer]:
    """A server that the test has for itself, so that it can count what is left."""
    with aws_server() as running:
        yield running


def left(server: AwsServer) -> dict[str, int]:
    """Count what there is but AWS's own defaults."""
    ec2 = server.client("ec2")
    vpcs = [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]]
    subnets = [one for one in ec2.describe_subnets()["Subnets"] if not one["DefaultForAz"]]
    kms = server.client("kms")
    keys = [one["KeyId"] for one in kms.list_keys()["Keys"]]
    enabled = [one for one in keys if kms.describe_key(KeyId=one)["KeyMetadata"]["Enabled"]]
    buckets = server.client("s3").list_buckets()["Buckets"]
    return {
        "vpcs": len(vpcs),
        "subnets": len(subnets),
        "keys": len(enabled),
        "buckets": len(buckets),
    }


def test_a_stack_from_up_to_destroy(tmp_path: Path, own_server: AwsServer) -> None:
    pulumi = PlainPulumi(tmp_path, own_server, program())
    pulumi.up()
    assert pulumi.recorded() == NAMES
    assert left(own_server) == {"vpcs": 1, "subnets": 2, "keys": 1, "buckets": 1}
    [vpc] = [
        one for one in own_server.client("ec2").describe_vpcs()["Vpcs"] if not one["IsDefault"]
    ]
    tags = {one["Key"]: one["Value"] for one in vpc["Tags"]}
    assert tags == {"owner": "desk", "environment": "daily"}
    [bucket] = own_server.client("s3").list_buckets()["Buckets"]
    where = own_server.client("s3").get_bucket_location(Bucket=bucket["Name"])
    assert where["LocationConstraint"] == "eu-west-1"
    # Nothing is to be done, and one changed setting changes just that.
    pulumi.run("preview", "--expect-no-changes")
    pulumi.write(program(owner="risk"))
    assert pulumi.planned() == {"vpc": ("update", ["tags.owner", "tagsAll.owner"])}
    # What cannot be changed is replaced, and what depends on it.
    pulumi.write(program(group="another"))
    planned = pulumi.planned()
    assert planned.keys() == {"group", "etcd"}
    assert planned["group"][1] == ["description"]
    # What somebody changed is seen by a refresh, and mended by the next update.
    own_server.client("ec2").modify_vpc_attribute(
        VpcId=vpc["VpcId"], EnableDnsSupport={"Value": False}
    )
    pulumi.write(program())
    pulumi.run("refresh", "--yes", "--skip-preview")
    assert pulumi.planned() == {"vpc": ("update", ["enableDnsSupport"])}
    pulumi.up()
    pulumi.run("preview", "--expect-no-changes")
    pulumi.run("destroy", "--yes", "--skip-preview")
    assert pulumi.recorded() == []
    assert left(own_server) == {"vpcs": 0, "subnets": 0, "keys": 0, "buckets": 0}


def test_after_a_failure_only_the_rest_is_made(tmp_path: Path, own_server: AwsServer) -> None:
    pulumi = PlainPulumi(tmp_path, own_server, program())
    pulumi.faults.fail("create", "aws:ec2/subnet:Subnet", "quota", nth=2)
    said = pulumi.up(expect=FAILED)
    assert "api error ResourceLimitExceeded" in said
    made = set(pulumi.recorded())
    assert {"vpc"} <= made < set(NAMES)
    assert left(own_server)["subnets"] == 1
    pulumi.faults.clear()
    pulumi.up()
    assert {one[2] for one in pulumi.faults.calls("create")} == set(NAMES) - made
    assert left(own_server) == {"vpcs": 1, "subnets": 2, "keys": 1, "buckets": 1}
    pulumi.run("preview", "--expect-no-changes")


def test_another_account_is_refused_at_plan_time(tmp_path: Path, own_server: AwsServer) -> None:
    pulumi = PlainPulumi(tmp_path, own_server, program(account="999999999999"))
    assert "AWS account ID not allowed" in pulumi.run("preview", expect=FAILED)
    assert pulumi.faults.calls() == []


def test_a_kill_leaves_what_was_made_and_not_recorded(
    tmp_path: Path, own_server: AwsServer
) -> None:
    pulumi = PlainPulumi(tmp_path, own_server, program())
    held = pulumi.faults.hold("create", "aws:ec2/vpc:Vpc", after=True)
    update = pulumi.start("up", "--yes", "--skip-preview")
    held.reached(timeout_s=120)
    update.kill()
    # The engine never learned of it; its state says that it was about to make one.
    assert left(own_server)["vpcs"] == 1
    assert "vpc" not in pulumi.recorded()
    pending = pulumi.state()["pending_operations"]
    assert [one["type"] for one in pending if "::vpc" in one["resource"]["urn"]] == ["creating"]
    orphans = processes(str(tmp_path), "pulumi-resource-aws")
    assert orphans  # as the real ones do, a provider outlives its engine for a while
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)


def test_a_program_that_fails_is_shown_as_it_failed(tmp_path: Path, own_server: AwsServer) -> None:
    pulumi = PlainPulumi(tmp_path, own_server, "1 / 0")
    assert "ZeroDivisionError" in pulumi.run("preview", expect=FAILED)
    pulumi.write("import sys; sys.exit(7)")
    assert "non-zero exit code: 7" in pulumi.run("preview", expect=FAILED)
