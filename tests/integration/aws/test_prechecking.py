"""What an account has of what a plan needs, asked of a server of AWS."""

from __future__ import annotations

import pytest

from opsctl.infra.aws import prechecking
from opsctl.infra.prechecks import Facts, Known, Precheck, findings
from tests.integration.aws.world import World
from tests.support.designs import made

REGION = "eu-north-1"
"""Where no other test of this folder makes anything."""
IMAGES = {REGION: "ami-0123456789abcdef0"}
VPCS = [("aws:ec2/vpc:Vpc", f"{site}-vpc") for site in ("a", "b", "witness")]


def refused(facts: Facts) -> list[Precheck]:
    """Return what stands against a plan; what moto cannot be asked is unknown."""
    return [one for one in findings(facts) if one.verdict is Known.REFUSED]


def test_quotas_names_and_offers(world: World) -> None:
    design = made("daily", "hot", region=REGION, images=IMAGES)
    hosts = [("aws:ec2/instance:Instance", host.name) for host in design.hosts]
    buckets = [("aws:s3/bucket:Bucket", "data"), ("aws:s3/bucket:Bucket", "backups")]
    facts = prechecking.facts(design, [*VPCS, *hosts, *buckets])
    (vpcs, vcpus) = facts.quotas
    assert (vpcs.name, vpcs.wanted, vpcs.there, vpcs.most) == ("VPCs", 3, 1, 5)  # AWS's own
    assert vcpus.wanted > len(hosts)
    assert set(facts.taken.values()) == {False}
    assert len(facts.taken) == 2
    for subject, zones in facts.offered.items():
        assert zones is not None
        assert subject.partition(" in ")[2] in zones
    assert refused(facts) == []


def test_a_quota_that_others_use_up_and_what_a_killed_update_made(world: World) -> None:
    ec2, design = (
        world.server.client("ec2", REGION),
        made("daily", "hot", region=REGION, images=IMAGES),
    )

    def vpc(name: str) -> str:
        tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": name}]}]
        answer = ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tags)
        return str(answer["Vpc"]["VpcId"])

    there = [vpc(design.tagged("a-vpc")["Name"]), vpc("another's")]
    try:
        assert refused(prechecking.facts(design, VPCS[:1])) == []
        facts = prechecking.facts(design, VPCS)
        assert facts.quotas[0].there == 2  # our own is among what is wanted
        there.append(vpc("one more"))
        (against,) = refused(prechecking.facts(design, VPCS))
        assert (against.check, against.subject) == ("quota", f"VPCs in {REGION}")
    finally:
        for one in there:
            ec2.delete_vpc(VpcId=one)


def test_a_security_group_takes_no_more_rules_than_the_account_may_have(world: World) -> None:
    def planned(people: int, there: int = 0) -> list[Precheck]:
        networks = [f"10.20.{third}.0/24" for third in range(people)]
        design = made("daily", "cold", region=REGION, images=IMAGES, people=networks)
        (group,) = [one for each in design.networks for one in each.groups if "trading" in one.name]
        rules = [rule for rule in group.rules if rule.direction == "ingress"]
        assert len(rules) == people
        kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
        new = [(kind, f"{group.name}-{rule.name}") for rule in rules[there:]]
        return refused(prechecking.facts(design, new))

    assert planned(60) == []
    (against,) = planned(61)
    assert against.subject == f"ingress rules of security group a-trading in {REGION}"
    assert "L-0EA8095F" in against.comply
    (against,) = planned(62, there=60)  # of one that is there
    assert against.problem.startswith("60 are there, 2 more are needed, and the account may have 6")
    assert planned(62, there=62) == []  # nothing of it is to be made


def test_what_cannot_be_asked_is_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    design = made("daily", "cold", region=REGION, images=IMAGES)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    found = findings(prechecking.facts(design, VPCS[:1]))
    assert {one.verdict for one in found} == {Known.UNKNOWN}
    assert [one.check for one in found] == ["quota", "permission"]
