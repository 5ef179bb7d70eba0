"""A preview of a hot environment in which every guardrail holds, and changes to it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from opsctl.infra.guardrails import Facts
from opsctl.infra.previewed import UNKNOWN, Action, Preview, Resource
from opsctl.model.tiers import DrTier

ENVIRONMENT = "desk"
OWNER = "trading@firm.example"
TAGS = {"environment": ENVIRONMENT, "tier": "intraday", "dr": "hot", "owner": OWNER}
SITES = {"a": "eu-central-1a", "b": "eu-central-1b", "witness": "eu-central-1c"}
STACK = "urn:pulumi:desk::trading::pulumi:pulumi:Stack::trading-desk"

FACTS = Facts(
    dr=DrTier.HOT,
    today=date(2026, 3, 2),
    regions=("eu-central-1",),
    owner=OWNER,
    domains=SITES,
    cost_usd_year=(100_000, 500_000),
)


def resource(
    kind: str,
    name: str,
    inputs: Mapping[str, Any] | None = None,
    *,
    site: str = "",
    tagged: bool = True,
    protected: bool = False,
    parent: str = STACK,
    action: Action = Action.CREATE,
) -> Resource:
    """Return a resource as the engine previews it."""
    tags = {**TAGS, **({"site": site} if site else {})}
    return Resource(
        urn=f"urn:pulumi:desk::trading::{kind}::{name}",
        type=kind,
        name=name,
        action=action,
        parent=parent,
        inputs={**({"tags": tags} if tagged else {}), **(inputs or {})},
        protected=protected,
    )


def policy(*statements: Mapping[str, Any]) -> str:
    """Return a policy as pulumi passes it on: JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


NO_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::desk-backups", "arn:aws:s3:::desk-backups/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
READ_BACKUPS = {
    "Effect": "Allow",
    "Action": ["s3:GetObject"],
    "Resource": "arn:aws:s3:::desk-backups/*",
}
BY_HOSTS = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
ISSUER = "token.actions.githubusercontent.com"
BY_CI = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{ISSUER}:sub": "repo:firm/platform:*"},
    },
}
ROOT = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def sound() -> dict[str, Resource]:
    """Return the resources, by name: what is declared before anything of it exists."""
    found = [resource("pulumi:providers:aws", "eu", {"region": "eu-central-1"}, tagged=False)]
    for site, zone in SITES.items():
        found += _site(site, zone)
    found += [*_stored(), *_database(), *_around()]
    by_name = {one.name: one for one in found}
    assert len(by_name) == len(found), "names in this preview have to differ"
    return by_name


def _site(site: str, zone: str) -> list[Resource]:
    return [
        resource("aws:ec2/vpc:Vpc", f"vpc-{site}", {"cidrBlock": "10.64.0.0/22"}, site=site),
        resource("aws:ec2/flowLog:FlowLog", f"vpc-{site}-flows", {"vpcId": UNKNOWN}),
        resource("aws:ec2/subnet:Subnet", f"subnet-{site}", {"availabilityZone": zone}, site=site),
        resource("aws:ec2/securityGroup:SecurityGroup", f"group-{site}", {"vpcId": UNKNOWN}),
        resource(
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            f"journal-{site}",
            {"cidrIpv4": "10.64.0.0/16", "fromPort": 2379, "toPort": 2379, "ipProtocol": "tcp"},
        ),
        resource(
            "aws:ec2/launchTemplate:LaunchTemplate",
            f"template-{site}",
            {
                "instanceType": "c7i.4xlarge",
                "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
                "networkInterfaces": [{"associatePublicIpAddress": "false"}],
                "blockDeviceMappings": [
                    {
                        "deviceName": "/dev/xvda",
                        "ebs": {"encrypted": "true", "volumeSize": 30, "volumeType": "gp3"},
                    }
                ],
            },
        ),
        resource(
            "aws:ec2/instance:Instance",
            f"host-{site}",
            {
                "instanceType": "c7i.4xlarge",
                "subnetId": UNKNOWN,
                "metadataOptions": {"httpTokens": "required"},
                "rootBlockDevice": {"encrypted": True, "volumeSize": 30, "volumeType": "gp3"},
            },
            site=site,
        ),
        resource(
            "aws:ebs/volume:Volume",
            f"data-{site}",
            {"availabilityZone": zone, "encrypted": True, "size": 500, "type": "gp3"},
            site=site,
            protected=True,
        ),
    ]


def _stored() -> list[Resource]:
    encryption = {
        "bucket": UNKNOWN,
        "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}],
    }
    block = {
        "bucket": UNKNOWN,
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    versions = {"bucket": UNKNOWN, "versioningConfiguration": {"status": "Enabled"}}

    def of_bucket(kind: str, name: str, inputs: Mapping[str, Any]) -> Resource:
        return resource(f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}", name, inputs, tagged=False)

    sse = "BucketServerSideEncryptionConfiguration"
    return [
        resource("aws:s3/bucket:Bucket", "backups", {"bucket": "desk-backups"}, protected=True),
        of_bucket(sse, "backups-encryption", encryption),
        of_bucket("BucketPublicAccessBlock", "backups-private", block),
        of_bucket("BucketVersioning", "backups-versions", versions),
        of_bucket("BucketPolicy", "backups-policy", {"bucket": UNKNOWN, "policy": policy(NO_HTTP)}),
        resource(
            "aws:kms/key:Key",
            "key",
            {"enableKeyRotation": True, "policy": policy(ROOT)},
            protected=True,
        ),
        resource(
            "aws:secretsmanager/secret:Secret",
            "secret",
            {"kmsKeyId": UNKNOWN, "recoveryWindowInDays": 30},
            protected=True,
        ),
    ]


def _database() -> list[Resource]:
    forced = {"name": "desk-books", "parameters": [{"name": "rds.force_ssl", "value": "1"}]}
    return [
        resource("aws:rds/parameterGroup:ParameterGroup", "books-parameters", forced),
        resource(
            "aws:rds/instance:Instance",
            "books",
            {
                "instanceClass": "db.m6i.large",
                "allocatedStorage": 100,
                "storageType": "gp3",
                "storageEncrypted": True,
                "multiAz": True,
                "parameterGroupName": "desk-books",
                "deletionProtection": True,
                "skipFinalSnapshot": False,
                "backupRetentionPeriod": 14,
                "publiclyAccessible": False,
            },
            site="a",
            protected=True,
        ),
    ]


def _around() -> list[Resource]:
    return [
        resource("aws:iam/role:Role", "host-role", {"assumeRolePolicy": policy(BY_HOSTS)}),
        resource(
            "aws:iam/rolePolicy:RolePolicy",
            "host-rights",
            {"role": UNKNOWN, "policy": policy(READ_BACKUPS)},
            tagged=False,
        ),
        resource(
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "host-session",
            {"role": UNKNOWN, "policyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"},
            tagged=False,
        ),
        resource("aws:iam/role:Role", "ci-role", {"assumeRolePolicy": policy(BY_CI)}),
        resource("aws:route53/zone:Zone", "zone", {"name": "desk.internal"}, protected=True),
        resource("aws:sns/topic:Topic", "alarms", {"kmsMasterKeyId": UNKNOWN}),
        resource("aws:cloudwatch/logGroup:LogGroup", "logs", {"kmsKeyId": UNKNOWN}),
        resource("aws:budgets/budget:Budget", "budget", {"limitAmount": "40000"}),
    ]


def preview(resources: Mapping[str, Resource] | Sequence[Resource]) -> Preview:
    """Return the preview of these."""
    found = resources.values() if isinstance(resources, Mapping) else resources
    return Preview(environment=ENVIRONMENT, resources=tuple(found))


def put(one: Resource, path: str, value: Any) -> Resource:
    """Return a resource with another value in its inputs (`rules.0.name`); None takes it out."""
    inputs: Any = copy.deepcopy(one.inputs)
    *way, last = path.split(".")
    at = inputs
    for word in way:
        at = at[int(word)] if isinstance(at, list) else at.setdefault(word, {})
    if isinstance(at, list):
        at[int(last)] = value
    elif value is None:
        at.pop(last)
    else:
        at[last] = value
    return one.model_copy(update={"inputs": inputs})
