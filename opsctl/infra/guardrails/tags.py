"""Rules on whose a resource is: tags, owner, expiry."""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.reading import DATABASE, HOST, SUBNET, VOLUME, VPC, kept, tags, unknown
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import Preview

REQUIRED = ("environment", "tier", "dr", "owner")
OF_A_SITE = (DATABASE, HOST, SUBNET, VOLUME, VPC)
"""What fails with its site, and therefore says which one it is."""
TAGGED = (
    "aws:budgets/budget:Budget",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:ebs/volume:Volume",
    "aws:ec2/eip:Eip",
    "aws:ec2/flowLog:FlowLog",
    "aws:ec2/instance:Instance",
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/placementGroup:PlacementGroup",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/vpc:Vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
    "aws:iam/instanceProfile:InstanceProfile",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "aws:iam/role:Role",
    "aws:kms/key:Key",
    "aws:rds/instance:Instance",
    "aws:rds/parameterGroup:ParameterGroup",
    "aws:rds/subnetGroup:SubnetGroup",
    "aws:route53/healthCheck:HealthCheck",
    "aws:route53/zone:Zone",
    "aws:s3/bucket:Bucket",
    "aws:secretsmanager/secret:Secret",
    "aws:sns/topic:Topic",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
)
"""The types of pulumi-aws 7.51 that we declare and that take tags."""


def _tags(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    for one in kept(preview, *TAGGED):
        found = tags(one)
        if found is None:
            yield Wrong(one, "its tags are known only after", unknown=True)
            continue
        wanted = [*REQUIRED]
        wanted += ["site"] if one.type in OF_A_SITE else []
        wanted += ["expires"] if facts.expires or facts.ephemeral else []
        missing = [name for name in wanted if not found.get(name)]
        if missing:
            yield Wrong(one, f"lacks the tags {', '.join(missing)}")
        elif any(unknown(found[name]) for name in wanted):
            yield Wrong(one, "one of its tags is known only after", unknown=True)


def _owner(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if not any(kept(preview, *TAGGED)):
        return  # nothing of it is on AWS: servers that a firm owns need no name on a bill
    if not facts.owner.strip():
        yield Wrong(None, "nobody is named who answers for it")
        return
    for one in kept(preview, *TAGGED):
        said = (tags(one) or {}).get("owner")
        if said is not None and not unknown(said) and said != facts.owner:
            yield Wrong(one, f"is tagged as {said}'s, and the environment is {facts.owner}'s")


def _expiry(_: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.expires is None:
        if facts.ephemeral:
            yield Wrong(None, "it is ephemeral, and no day is named on which it is gone")
    elif facts.expires < facts.today:
        yield Wrong(None, f"it expired on {facts.expires}, and would be changed instead of gone")


RULES = (
    Rule(
        "AWS-TAG-001",
        "Everything is tagged",
        Severity.REFUSE,
        "A bill, an alarm and a search for what is left over are told apart by tags alone.",
        sources.ORGANIZATION,
        "Tag it: environment, tier, dr, owner; site where it has one; expires where it ends.",
        _tags,
    ),
    Rule(
        "AWS-OWN-001",
        "An owner is named, and the same everywhere",
        Severity.REFUSE,
        "Somebody has to be asked, at night too.",
        sources.ORGANIZATION,
        "Set `owner` in `trading:aws`, and tag resources with it.",
        _owner,
    ),
    Rule(
        "AWS-EXP-001",
        "Ephemeral environments expire, and nothing outlives its expiry",
        Severity.REFUSE,
        "What CI made and nobody removed is the most common waste in a cloud.",
        sources.LIFETIME,
        "Set `expires` in `trading:aws` to a day to come, or destroy the environment.",
        _expiry,
    ),
)
