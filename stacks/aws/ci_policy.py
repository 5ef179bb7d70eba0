"""What the firm's CI may do: make and remove ephemeral environments, and nothing else. Pure.

EC2 is bounded by the tag `ephemeral`, which CI can give to what it makes and to nothing that
exists; all other services by names that begin with `eph-`. It makes no roles and no keys:
hosts take a role that is there, so that nobody climbs from CI to more than CI has.
"""

from __future__ import annotations

from stacks.aws.naming import EPHEMERAL, PATH
from stacks.aws.parts import CiPart
from stacks.aws.policies import (
    CI_FLOW_LOGS,
    CI_HOSTS,
    CI_KEY,
    Statement,
    document,
    role_arn,
    use_of_keys,
)

CREATES = (
    "AllocateAddress",
    "CreateFlowLogs",
    "CreateInternetGateway",
    "CreateLaunchTemplate",
    "CreateNatGateway",
    "CreatePlacementGroup",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateVolume",
    "CreateVpc",
    "CreateVpcEndpoint",
    "CreateVpcPeeringConnection",
    "RunInstances",
)
"""Of EC2: what makes something, and takes its tags with it."""
SEEN = (
    "cloudwatch:DescribeAlarms",
    "ec2:Describe*",
    "ec2:GetManagedPrefixListEntries",
    "logs:DescribeLogGroups",
    "rds:Describe*",
    "servicequotas:GetServiceQuota",
    "servicequotas:ListServiceQuotas",
    "sts:GetCallerIdentity",
    "tag:GetResources",
)
"""Reads, which know no bounds by tag or name."""
RULES = ("AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress")
"""Of EC2: what makes a rule, with its tags, in a group that is there."""


def ci_policy(account: str, ci: CiPart) -> str:
    """Return what the role of CI may do."""
    ours = f"{account}:"
    names = (
        f"arn:aws:s3:::{EPHEMERAL}*",
        f"arn:aws:secretsmanager:*:{ours}secret:{EPHEMERAL}*",
        f"arn:aws:sns:*:{ours}{EPHEMERAL}*",
        f"arn:aws:cloudwatch:*:{ours}alarm:{EPHEMERAL}*",
        f"arn:aws:logs:*:{ours}log-group:/opsctl/{EPHEMERAL}*",
        *(f"arn:aws:rds:*:{ours}{kind}:{EPHEMERAL}*" for kind in ("db", "pg", "subgrp")),
        f"arn:aws:rds:*:{ours}snapshot:{EPHEMERAL}*",
    )
    here: Statement = {"StringEquals": {"aws:RequestedRegion": list(ci.regions)}}
    made: Statement = {
        "StringEquals": {
            "aws:RequestTag/ephemeral": "true",
            "aws:RequestedRegion": list(ci.regions),
        }
    }
    already: Statement = {"StringEquals": {"aws:ResourceTag/ephemeral": "true"}}
    return document(
        {"Sid": "See", "Effect": "Allow", "Action": list(SEEN), "Resource": "*", "Condition": here},
        {
            "Sid": "Make",
            "Effect": "Allow",
            "Action": [f"ec2:{action}" for action in CREATES],
            "Resource": f"arn:aws:ec2:*:{ours}*",
            "Condition": made,
        },
        {
            # Of the rule alone: that its group is ephemeral is asked by `Change`.
            "Sid": "MakeRules",
            "Effect": "Allow",
            "Action": [f"ec2:{action}" for action in RULES],
            "Resource": f"arn:aws:ec2:*:{ours}security-group-rule/*",
            "Condition": made,
        },
        {
            "Sid": "Images",
            "Effect": "Allow",
            "Action": "ec2:RunInstances",
            "Resource": ["arn:aws:ec2:*::image/*", f"arn:aws:ec2:*:{ours}network-interface/*"],
            "Condition": here,
        },
        {
            # Tags only with what is being made: otherwise any host could be called ephemeral.
            "Sid": "TagWhatIsMade",
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": f"arn:aws:ec2:*:{ours}*",
            "Condition": {
                "StringEquals": {
                    "aws:RequestTag/ephemeral": "true",
                    "ec2:CreateAction": [*CREATES, *RULES],
                }
            },
        },
        {
            "Sid": "Change",
            "Effect": "Allow",
            "Action": "ec2:*",
            "Resource": f"arn:aws:ec2:*:{ours}*",
            "Condition": already,
        },
        {
            "Sid": "LogIn",
            "Effect": "Allow",
            "Action": "ssm:StartSession",
            "Resource": f"arn:aws:ec2:*:{ours}instance/*",
            "Condition": {"StringEquals": {"ssm:resourceTag/ephemeral": "true"}},
        },
        {
            "Sid": "LogInBySsh",
            "Effect": "Allow",
            "Action": "ssm:StartSession",
            "Resource": "arn:aws:ssm:*::document/AWS-StartSSHSession",
        },
        {
            "Sid": "Named",
            "Effect": "Allow",
            "Action": ["cloudwatch:*", "logs:*", "rds:*", "s3:*", "secretsmanager:*", "sns:*"],
            "Resource": list(names),
        },
        use_of_keys(account, CI_KEY, (), "kms:DescribeKey", "kms:Encrypt", "kms:ReEncrypt*"),
        {
            # Of a volume or a database, which then use the key by themselves.
            "Sid": "LendKeys",
            "Effect": "Allow",
            "Action": "kms:CreateGrant",
            "Resource": f"arn:aws:kms:*:{ours}key/*",
            "Condition": {
                "Bool": {"kms:GrantIsForAWSResource": "true"},
                "ForAnyValue:StringLike": {"kms:ResourceAliases": f"alias/{CI_KEY}"},
            },
        },
        {
            "Sid": "HandOver",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": [role_arn(account, name) for name in (CI_HOSTS, CI_FLOW_LOGS)],
            "Condition": {
                "StringEquals": {
                    "iam:PassedToService": ["ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
                }
            },
        },
        {
            "Sid": "Profile",
            "Effect": "Allow",
            "Action": "iam:GetInstanceProfile",
            "Resource": f"arn:aws:iam::{ours}instance-profile{PATH}{CI_HOSTS}",
        },
    )
