"""What is really in an account of the AWS server, read by boto3: nothing of Pulumi is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from tests.support.aws.server import AwsServer

GONE = ("terminated", "deleted", "deleting", "rejected")


class Found:
    """What an account has in some regions: AWS's own (default networks) left out."""

    def __init__(self, server: AwsServer, regions: Iterable[str]) -> None:
        """Look into these regions; each kind of thing is read once, when it is first asked for."""
        self._server, self.regions = server, tuple(regions)

    def _each(self, service: str, operation: str, key: str, **asked: Any) -> list[dict[str, Any]]:
        """Return what an operation lists in each region, with its region."""
        found = []
        for region in self.regions:
            client = self._server.client(service, region)
            pages = (
                client.get_paginator(operation).paginate(**asked)
                if client.can_paginate(operation)
                else [getattr(client, operation)(**asked)]
            )
            found += [{**one, "Region": region} for page in pages for one in page[key]]
        return found

    @cached_property
    def vpcs(self) -> list[dict[str, Any]]:
        """The networks of sites."""
        return [one for one in self._each("ec2", "describe_vpcs", "Vpcs") if not one["IsDefault"]]

    @cached_property
    def subnets(self) -> list[dict[str, Any]]:
        """Their subnets."""
        own = {one["VpcId"] for one in self.vpcs}
        return [s for s in self._each("ec2", "describe_subnets", "Subnets") if s["VpcId"] in own]

    @cached_property
    def instances(self) -> list[dict[str, Any]]:
        """Hosts that were not terminated."""
        found = self._each("ec2", "describe_instances", "Reservations")
        every = [{**one, "Region": r["Region"]} for r in found for one in r["Instances"]]
        return [one for one in every if one["State"]["Name"] not in GONE]

    @cached_property
    def volumes(self) -> list[dict[str, Any]]:
        """Disks, those of the system among them."""
        return self._each("ec2", "describe_volumes", "Volumes")

    @cached_property
    def rules(self) -> list[dict[str, Any]]:
        """What security groups let in and out."""
        groups = {one["GroupId"] for one in self.groups}
        found = self._each("ec2", "describe_security_group_rules", "SecurityGroupRules")
        return [one for one in found if one["GroupId"] in groups]

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """Security groups; those that AWS makes with a network left out."""
        found = self._each("ec2", "describe_security_groups", "SecurityGroups")
        return [one for one in found if one["GroupName"] != "default"]

    @cached_property
    def databases(self) -> list[dict[str, Any]]:
        """Managed databases."""
        return self._each("rds", "describe_db_instances", "DBInstances")

    @cached_property
    def log_groups(self) -> list[dict[str, Any]]:
        """Where logs are kept."""
        return self._each("logs", "describe_log_groups", "logGroups")

    @cached_property
    def keys(self) -> list[dict[str, Any]]:
        """Keys that are not AWS's own, and not scheduled to be deleted."""
        found = []
        for one in self._each("kms", "list_keys", "Keys"):
            kms = self._server.client("kms", one["Region"])
            about = kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
            if about["Enabled"] and about["KeyManager"] == "CUSTOMER":
                turned = kms.get_key_rotation_status(KeyId=one["KeyId"])["KeyRotationEnabled"]
                found.append({**about, "Region": one["Region"], "Rotated": turned})
        return found

    @cached_property
    def buckets(self) -> list[str]:
        """Names of buckets, of whatever region."""
        listed = self._server.client("s3").list_buckets()["Buckets"]
        return [one["Name"] for one in listed]

    def bucket(self, name: str) -> dict[str, Any]:
        """Return what holds of a bucket: versions, encryption, closed, TLS only, locked, copied."""
        s3 = self._server.client("s3")
        encrypted = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
        (rule,) = encrypted["Rules"]
        closed = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        return {
            "versions": s3.get_bucket_versioning(Bucket=name).get("Status"),
            "algorithm": rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
            "closed": all(closed.values()),
            "tls": _tls_only(s3.get_bucket_policy(Bucket=name)["Policy"]),
            "locked": _has(s3.get_object_lock_configuration, name),
            "copied": _has(s3.get_bucket_replication, name),
        }

    def counts(self) -> Counter[str]:
        """Return how many there are of each kind of thing; empty where nothing is left."""
        return Counter({kind: many for kind, many in self._counted() if many})

    def _counted(self) -> Iterator[tuple[str, int]]:
        yield "vpc", len(self.vpcs)
        yield "subnet", len(self.subnets)
        yield "instance", len(self.instances)
        yield "volume", len(self.volumes)
        yield "security group", len(self.groups)
        yield "database", len(self.databases)
        yield "log group", len(self.log_groups)
        yield "key", len(self.keys)
        yield "bucket", len(self.buckets)
        yield "flow log", len(self._each("ec2", "describe_flow_logs", "FlowLogs"))
        yield "address", len(self._each("ec2", "describe_addresses", "Addresses"))
        gateways = self._each("ec2", "describe_internet_gateways", "InternetGateways")
        ours = {one["VpcId"] for one in self.vpcs}
        attached = [one for one in gateways if {a["VpcId"] for a in one["Attachments"]} & ours]
        yield "internet gateway", len(attached)
        nats = self._each("ec2", "describe_nat_gateways", "NatGateways")
        yield "nat gateway", sum(one["State"] not in GONE for one in nats)
        ends = self._each("ec2", "describe_vpc_endpoints", "VpcEndpoints")
        for kind in ("Interface", "Gateway"):
            there = [e for e in ends if e["State"] not in GONE and e["VpcEndpointType"] == kind]
            yield f"{kind.lower()} endpoint", len(there)
        ways = self._each("ec2", "describe_vpc_peering_connections", "VpcPeeringConnections")
        active = [one for one in ways if one["Status"]["Code"] not in GONE]
        yield "peering", len({one["VpcPeeringConnectionId"] for one in active})
        yield "template", len(self._each("ec2", "describe_launch_templates", "LaunchTemplates"))
        yield "subnet group", len(self._each("rds", "describe_db_subnet_groups", "DBSubnetGroups"))
        yield "topic", len(self._each("sns", "list_topics", "Topics"))
        yield "alarm", len(self._each("cloudwatch", "describe_alarms", "MetricAlarms"))
        yield "secret", len(self._each("secretsmanager", "list_secrets", "SecretList"))
        one_place = Found(self._server, self.regions[:1])
        yield "role", len(one_place._each("iam", "list_roles", "Roles", PathPrefix="/opsctl/"))
        yield "zone", len(one_place._each("route53", "list_hosted_zones", "HostedZones"))
        yield "health check", len(one_place._each("route53", "list_health_checks", "HealthChecks"))
        account = self._server.account
        yield (
            "budget",
            len(
                self._server.client("budgets")
                .describe_budgets(AccountId=account)
                .get("Budgets", [])
            ),
        )


def tags(one: dict[str, Any]) -> dict[str, str]:
    """Return the tags of a thing of EC2."""
    return {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}


def _tls_only(policy: str) -> bool:
    statements: list[dict[str, Any]] = json.loads(policy)["Statement"]
    refused = {"Bool": {"aws:SecureTransport": "false"}}
    return any(s["Effect"] == "Deny" and s.get("Condition") == refused for s in statements)


def _has(ask: Callable[..., object], bucket: str) -> bool:
    """Return whether a bucket has something of which AWS else says that it does not."""
    try:
        ask(Bucket=bucket)
    except ClientError as error:
        if not error.response["Error"]["Code"].endswith("NotFoundError"):
            raise
        return False
    return True
