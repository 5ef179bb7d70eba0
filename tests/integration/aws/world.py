"""What the cases build upon: a network, a machine, a bucket, each made when it is first named."""

from __future__ import annotations

import functools
import json
from typing import Any

from tests.support.aws.direct import Direct, Made
from tests.support.aws.server import AwsServer

OWNER = {"owner": "desk"}
"""The provider's default tags."""


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "ec2.amazonaws.com"},
            }
        ],
    }
)
"""A role that machines may take."""


class World:
    """Resources of one server that many cases refer to."""

    def __init__(self, server: AwsServer) -> None:
        """Make nothing yet."""
        self.server = server
        self.direct = Direct({"region": "eu-central-1", "defaultTags": json.dumps({"tags": OWNER})})

    def make(self, token: str, label: str, /, **inputs: Any) -> Made:
        """Make a resource."""
        return self.direct.create(token, label, inputs)

    @functools.cached_property
    def vpc(self) -> Made:
        """A network."""
        return self.make("aws:ec2/vpc:Vpc", "main", cidrBlock="10.0.0.0/16")

    @functools.cached_property
    def other_vpc(self) -> Made:
        """A network beside it."""
        return self.make("aws:ec2/vpc:Vpc", "other", cidrBlock="10.5.0.0/16")

    @functools.cached_property
    def subnet_a(self) -> Made:
        """A subnet in a zone."""
        return self._subnet("a", 1)

    @functools.cached_property
    def subnet_b(self) -> Made:
        """A subnet in another zone."""
        return self._subnet("b", 2)

    def _subnet(self, zone: str, third: int) -> Made:
        return self.make(
            "aws:ec2/subnet:Subnet",
            f"subnet-{zone}",
            vpcId=self.vpc.id,
            cidrBlock=f"10.0.{third}.0/24",
            availabilityZone=f"eu-central-1{zone}",
        )

    @functools.cached_property
    def address(self) -> Made:
        """An address of one's own."""
        return self.make("aws:ec2/eip:Eip", "address", domain="vpc")

    @functools.cached_property
    def gateway(self) -> Made:
        """The network's way to the internet."""
        return self.make("aws:ec2/internetGateway:InternetGateway", "gateway", vpcId=self.vpc.id)

    @functools.cached_property
    def table(self) -> Made:
        """A route table."""
        return self.make("aws:ec2/routeTable:RouteTable", "table", vpcId=self.vpc.id)

    @functools.cached_property
    def group(self) -> Made:
        """A security group."""
        return self.make("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=self.vpc.id)

    @functools.cached_property
    def peering_abroad(self) -> Made:
        """A request to a network in another region."""
        abroad = self.make("aws:ec2/vpc:Vpc", "abroad", cidrBlock="10.6.0.0/16", region="eu-west-1")
        return self.make(
            "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
            "abroad",
            vpcId=self.vpc.id,
            peerVpcId=abroad.id,
            peerRegion="eu-west-1",
        )

    @functools.cached_property
    def bucket(self) -> Made:
        """A bucket that keeps versions and can be locked."""
        return self.make("aws:s3/bucket:Bucket", "bucket", objectLockEnabled=True)

    @functools.cached_property
    def plain(self) -> Made:
        """A bucket of which nothing is set."""
        return self.make("aws:s3/bucket:Bucket", "plain")

    @functools.cached_property
    def unversioned(self) -> Made:
        """A bucket that keeps no versions."""
        return self.make("aws:s3/bucket:Bucket", "unversioned")

    @functools.cached_property
    def copies(self) -> Made:
        """A bucket that others are copied to."""
        return self.make("aws:s3/bucket:Bucket", "copies", objectLockEnabled=True)

    @functools.cached_property
    def image(self) -> str:
        """The id of an image that there is."""
        images = self.server.client("ec2").describe_images(Owners=["amazon"])["Images"]
        return str(images[0]["ImageId"])

    @functools.cached_property
    def machine(self) -> Made:
        """A machine."""
        return self.make(
            "aws:ec2/instance:Instance",
            "machine",
            ami=self.image,
            instanceType="c7i.large",
            subnetId=self.subnet_a.id,
        )

    @functools.cached_property
    def volume(self) -> Made:
        """A disk in the machine's zone."""
        return self.make(
            "aws:ebs/volume:Volume",
            "volume",
            availabilityZone="eu-central-1a",
            size=10,
            type="gp3",
        )

    @functools.cached_property
    def role(self) -> Made:
        """A role."""
        return self.make("aws:iam/role:Role", "role", assumeRolePolicy=TRUST)

    @functools.cached_property
    def profile(self) -> Made:
        """What gives a machine the role."""
        return self.make("aws:iam/instanceProfile:InstanceProfile", "profile", role=self.role.id)

    @functools.cached_property
    def key(self) -> Made:
        """A key."""
        return self.make("aws:kms/key:Key", "key", description="of many")

    @functools.cached_property
    def zone(self) -> Made:
        """A hosted zone."""
        return self.make("aws:route53/zone:Zone", "zone", name="trading.example")

    @functools.cached_property
    def health(self) -> Made:
        """A health check."""
        return self.make(
            "aws:route53/healthCheck:HealthCheck",
            "health",
            type="TCP",
            ipAddress="203.0.113.5",
            port=443,
            requestInterval=10,
            failureThreshold=2,
        )

    @functools.cached_property
    def topic(self) -> Made:
        """A topic."""
        return self.make("aws:sns/topic:Topic", "topic")

    @functools.cached_property
    def db_subnets(self) -> Made:
        """Where a database may be."""
        return self.make(
            "aws:rds/subnetGroup:SubnetGroup",
            "db-subnets",
            subnetIds=[self.subnet_a.id, self.subnet_b.id],
        )

    @functools.cached_property
    def placement(self) -> Made:
        """A placement group."""
        return self.make("aws:ec2/placementGroup:PlacementGroup", "placement", strategy="cluster")
