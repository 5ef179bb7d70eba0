"""What the components declare, told by Pulumi's mocks, for pairs of tiers and what varies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.declared import Declared, Stack, declared, listed
from tests.support.designs import DESIGNS, KEY

TAGS = {"environment", "tier", "dr", "site", "owner", "expires", "ephemeral", "Name"}
UNTAGGED = {
    # What AWS gives no tags to.
    "Alias",
    "BucketLifecycleConfiguration",
    "BucketObjectLockConfiguration",
    "BucketPolicy",
    "BucketPublicAccessBlock",
    "BucketReplicationConfig",
    "BucketServerSideEncryptionConfiguration",
    "BucketVersioning",
    "Record",
    "RolePolicy",
    "RolePolicyAttachment",
    "Route",
    "RouteTableAssociation",
    "TopicSubscription",
    "VolumeAttachment",
}
STATEFUL = {
    "aws:ebs/volume:Volume",
    "aws:kms/key:Key",
    "aws:rds/instance:Instance",
    "aws:route53/zone:Zone",
    "aws:s3/bucket:Bucket",
    "aws:secretsmanager/secret:Secret",
}
EVERY = pytest.mark.parametrize("which", DESIGNS)


def of_aws(stack: Stack) -> Iterator[Declared]:
    return (one for one in stack.resources if one.type.startswith("aws:"))


def policies(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in of_aws(stack):
        for key in ("policy", "assumeRolePolicy"):
            if key in one.inputs:
                for statement in json.loads(one.inputs[key])["Statement"]:
                    yield one.name, statement


COUNTS = {
    # type: weekly-cold, daily-warm, intraday-hot, hft-hot, ephemeral
    "Vpc": (1, 3, 3, 3, 3),
    "Subnet": (1, 10, 8, 6, 8),
    "NatGateway": (0, 3, 3, 3, 3),
    "VpcEndpoint": (8, 24, 24, 24, 24),
    "VpcPeeringConnection": (0, 3, 3, 3, 3),
    "VpcPeeringConnectionAccepter": (0, 3, 0, 0, 0),
    "FlowLog": (1, 3, 3, 3, 3),
    "LaunchTemplate": (1, 3, 3, 3, 3),
    "PlacementGroup": (0, 0, 0, 2, 0),
    "Volume": (1, 3, 3, 3, 3),
    "VolumeAttachment": (1, 3, 3, 3, 3),
    "Key": (1, 6, 2, 2, 0),
    "Bucket": (2, 4, 4, 4, 2),
    "BucketPublicAccessBlock": (2, 4, 4, 4, 2),
    "BucketPolicy": (2, 4, 4, 4, 2),
    "BucketVersioning": (2, 4, 4, 4, 2),
    "BucketServerSideEncryptionConfiguration": (2, 4, 4, 4, 2),
    "BucketLifecycleConfiguration": (2, 4, 4, 4, 2),
    "BucketObjectLockConfiguration": (1, 2, 2, 2, 0),
    "BucketReplicationConfig": (0, 2, 2, 2, 0),
    "SubnetGroup": (0, 2, 1, 0, 1),
    "Secret": (2, 2, 2, 2, 2),
    "Zone": (1, 1, 1, 1, 0),
    "HealthCheck": (0, 2, 2, 2, 0),
    "Record": (1, 5, 5, 5, 0),
    "MetricAlarm": (2, 6, 6, 6, 6),
    "Topic": (1, 3, 1, 1, 1),
    "Budget": (1, 1, 1, 1, 0),
    "Role": (2, 8, 5, 5, 0),
    "OpenIdConnectProvider": (0, 1, 0, 0, 0),
}


@pytest.mark.parametrize(("kind", "wanted"), COUNTS.items(), ids=COUNTS)
def test_as_much_of_each_kind_is_declared_as_its_tiers_take(
    stacks: dict[str, Stack], kind: str, wanted: tuple[int, ...]
) -> None:
    assert tuple(stacks[which].counts()[kind] for which in DESIGNS) == wanted


@EVERY
def test_instances_are_hosts_and_databases(stacks: dict[str, Stack], which: str) -> None:
    stack, plan = stacks[which], DESIGNS[which]
    hosts = stack.of("ec2/instance:Instance")
    assert {one.name for one in hosts} == {host.name for host in plan.hosts}
    wanted = {"weekly-cold": 0, "daily-warm": 2, "intraday-hot": 1, "hft-hot": 0, "ephemeral": 1}
    assert len(stack.of("rds/instance:Instance")) == wanted[which]


@EVERY
def test_every_resource_belongs_to_a_component_and_a_region(
    stacks: dict[str, Stack], which: str
) -> None:
    stack = stacks[which]
    components = {one.name for one in stack.resources if one.type.startswith("trading:aws:")}
    assert components >= {"keys", "network", "compute", "data", "failover"}
    assert ("ci" in components) == (which == "daily-warm")
    regions = {f"aws-{region}" for region in DESIGNS[which].regions}
    assert {one.name for one in stack.of("pulumi:providers:aws")} == regions
    for one in of_aws(stack):
        assert one.parent in components, one.name
        assert one.provider in regions, one.name


@EVERY
def test_no_two_resources_of_a_type_share_a_name(stacks: dict[str, Stack], which: str) -> None:
    named = Counter((one.type, one.name) for one in stacks[which].resources)
    assert named.most_common(1)[0][1] == 1


@EVERY
def test_a_provider_is_held_to_the_account(stacks: dict[str, Stack], which: str) -> None:
    for provider in stacks[which].of("pulumi:providers:aws"):
        assert json.loads(provider.inputs["allowedAccountIds"]) == ["123456789012"]


@EVERY
def test_everything_is_tagged_with_whose_it_is(stacks: dict[str, Stack], which: str) -> None:
    for one in of_aws(stacks[which]):
        if one.type.rpartition(":")[2] in UNTAGGED:
            continue
        tags = one.inputs.get("tags", {})
        assert tags.keys() >= TAGS, one.name
        assert tags["environment"] == "books"
        assert tags["site"] in ("a", "b", "witness", "shared")


@EVERY
def test_what_holds_state_is_protected_unless_it_is_ephemeral(
    stacks: dict[str, Stack], which: str
) -> None:
    for one in of_aws(stacks[which]):
        assert one.protected == (one.type in STATEFUL and which != "ephemeral"), one.name


@EVERY
def test_nothing_has_a_public_address_and_nothing_is_open_to_everywhere(
    stacks: dict[str, Stack], which: str
) -> None:
    stack = stacks[which]
    for subnet in stack.of("ec2/subnet:Subnet"):
        assert subnet.inputs["mapPublicIpOnLaunch"] is False
    for host in stack.of("ec2/instance:Instance"):
        assert host.inputs["associatePublicIpAddress"] is False
    for database in stack.of("rds/instance:Instance"):
        assert database.inputs["publiclyAccessible"] is False
    for group in stack.of("ec2/securityGroup:SecurityGroup"):
        assert not {"ingress", "egress"} & group.inputs.keys()
    for rule in stack.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule"):
        assert rule.inputs["cidrIpv4"] != "0.0.0.0/0"
        assert rule.inputs["fromPort"] == rule.inputs["toPort"]
    for rule in stack.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule"):
        ends = {"cidrIpv4", "referencedSecurityGroupId", "prefixListId"} & rule.inputs.keys()
        assert len(ends) == 1


@EVERY
def test_every_rule_of_the_design_is_declared_and_no_other(
    stacks: dict[str, Stack], which: str
) -> None:
    wanted = {
        f"{group.name}-{rule.name}"
        for network in DESIGNS[which].networks
        for group in network.groups
        for rule in group.rules
    }
    found = [one.name for one in of_aws(stacks[which]) if "securityGroup" in one.type]
    rules = [name for name in found if "gress-" in name]
    assert sorted(rules) == sorted(wanted)


@EVERY
def test_hosts_ask_for_tokens_and_write_to_encrypted_disks(
    stacks: dict[str, Stack], which: str
) -> None:
    stack, plan = stacks[which], DESIGNS[which]
    for host in plan.hosts:
        instance = stack.one(host.name, "ec2/instance").inputs
        template = stack.one(f"{host.name}-template").inputs
        for one in (instance, template):
            assert one["metadataOptions"]["httpTokens"] == "required"
            assert one["metadataOptions"]["httpPutResponseHopLimit"] == 1
        assert instance["rootBlockDevice"]["encrypted"] is True
        assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
        volume = stack.one(f"{host.name}-data", "ebs").inputs
        assert volume["encrypted"] is True
        made = f"arn:aws:mock:::key-{host.region}"
        assert volume["kmsKeyId"] == (KEY if which == "ephemeral" else made)
        assert (instance["privateIp"], instance["availabilityZone"]) == (host.address, host.zone)
        assert volume["availabilityZone"] == template["placement"]["availabilityZone"] == host.zone


def test_a_tier_has_its_machines(stacks: dict[str, Stack]) -> None:
    intraday = stacks["intraday-hot"].one("trading-a-template").inputs
    assert intraday["cpuOptions"] == {"coreCount": 8, "threadsPerCore": 1}
    assert intraday["maintenanceOptions"]["autoRecovery"] == "default"
    hft = stacks["hft-hot"].one("trading-a-template").inputs
    assert "cpuOptions" not in hft
    assert hft["placement"]["tenancy"] == "dedicated"
    assert hft["placement"]["groupName"] == "books-trading-a"
    assert hft["maintenanceOptions"]["autoRecovery"] == "disabled"
    assert "groupName" not in intraday["placement"]
    assert stacks["hft-hot"].one("trading-a-placement").inputs["strategy"] == "cluster"


@EVERY
def test_no_policy_allows_everything(stacks: dict[str, Stack], which: str) -> None:
    seen = list(policies(stacks[which]))
    assert seen
    for name, statement in seen:
        if statement["Effect"] != "Allow":
            continue
        assert "*" not in listed(statement["Action"]), name
        if "*" in listed(statement.get("Resource", [])) and "key-" not in name:
            assert statement.get("Condition"), name


def test_a_way_between_regions_is_accepted_before_anything_takes_it(
    stacks: dict[str, Stack],
) -> None:
    stack = stacks["daily-warm"]
    assert stack.one("peering-a-b").inputs["peerRegion"] == "us-west-2"
    assert stack.one("peering-a-b-accepted").provider == "aws-us-west-2"
    route = stack.one("b-hosts-to-a")
    assert route.provider == "aws-us-west-2"
    assert route.inputs["destinationCidrBlock"] == "10.64.0.0/20"
    assert "peering-a-b-accepted" in route.depends
    near = stacks["intraday-hot"].one("peering-a-b").inputs
    assert (near["autoAccept"], "peerRegion" in near) == (True, False)


@EVERY
def test_every_site_has_a_way_to_every_other(stacks: dict[str, Stack], which: str) -> None:
    plan = DESIGNS[which]
    ways = {
        one.name.partition("-")[0] + ">" + one.inputs["destinationCidrBlock"]
        for one in stacks[which].of("ec2/route:Route")
        if "vpcPeeringConnectionId" in one.inputs
    }
    assert ways == {
        f"{here.site}>{there.share.vpc}"
        for here in plan.networks
        for there in plan.networks
        if here is not there
    }


def test_people_are_led_to_the_site_that_is_well(stacks: dict[str, Stack]) -> None:
    stack = stacks["intraday-hot"]
    for site, order in (("a", "PRIMARY"), ("b", "SECONDARY")):
        record = stack.one(f"desk-{site}").inputs
        assert record["name"] == "desk.books.internal"
        assert record["failoverRoutingPolicies"] == [{"type": order}]
        assert record["healthCheckId"] == f"desk-{site}-health-id"
        check = stack.one(f"desk-{site}-health").inputs
        assert check["cloudwatchAlarmName"] == f"books-trading-{site}-host-alarm"


def test_alarms_move_a_host_that_can_be_moved_and_tell_people(stacks: dict[str, Stack]) -> None:
    moved = stacks["intraday-hot"].one("trading-a-machine-alarm").inputs
    assert "arn:aws:automate:us-east-1:ec2:recover" in moved["alarmActions"]
    assert moved["dimensions"] == {"InstanceId": "trading-a-id"}
    metal = stacks["hft-hot"].one("trading-a-machine-alarm").inputs
    assert metal["alarmActions"] == ["arn:aws:mock:::alarms-us-east-1"]
    told = stacks["intraday-hot"].one("alarms-us-east-1-1").inputs
    assert told["endpoint"] == "oncall@example.com"


def test_the_budget_is_of_this_environment_and_tells_before_it_is_spent(
    stacks: dict[str, Stack],
) -> None:
    budget = stacks["daily-warm"].one("budget").inputs
    assert (budget["limitAmount"], budget["limitUnit"]) == ("4166", "USD")
    (filtered,) = budget["costFilters"]
    assert filtered["values"] == ["user:environment$books"]
    assert [one["notificationType"] for one in budget["notifications"]] == ["FORECASTED", "ACTUAL"]


@EVERY
def test_outputs_are_an_inventory(stacks: dict[str, Stack], which: str) -> None:
    outputs, plan = stacks[which].outputs, DESIGNS[which]
    assert [(one["name"], one["site"], one["address"]) for one in outputs["hosts"]] == [
        (host.name, host.site, host.address) for host in plan.hosts
    ]
    for one in outputs["hosts"]:
        assert one["instance"] == f"{one['name']}-id"
        assert one["reach"]["by"] == "session-manager"
    assert outputs["network"].keys() == {network.site for network in plan.networks}
    assert set(outputs["buckets"]) >= {"data", "backups"}
    assert bool(outputs["unmet"]) == (which == "hft-hot")


def test_what_has_another_name_stays_the_same_one() -> None:
    cold = DESIGNS["weekly-cold"]
    (stack,) = declared(cold, renamed={"backups": ["archive"], "data": ["objects", "store"]})
    assert stack.one("backups", "s3/bucket:").aliases == ["archive"]
    assert stack.one("data", "trading:").aliases == ["objects", "store"]
    assert stack.one("a-vpc").aliases == []
