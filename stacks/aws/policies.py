"""Who may do what, as documents of IAM. Pure: every one is known before anything is made.

A key is named by its alias in a condition, not by its ARN, which is known only afterwards: so
that what a preview shows of a policy is all of it.
"""

from __future__ import annotations

import json
from typing import Any

from stacks.aws.naming import EPHEMERAL, PATH
from stacks.aws.parts import CiPart

SESSION_MANAGER = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
"""What the agent of Session Manager needs, kept up to date by AWS."""
CI_HOSTS = "opsctl-ephemeral-hosts"
"""Role and profile of the hosts of ephemeral environments: CI itself makes no roles."""
CI_KEY = f"{EPHEMERAL}shared"
"""Alias of the key of ephemeral environments, which make none."""
CI_FLOW_LOGS = "opsctl-ephemeral-flow-logs"

Statement = dict[str, Any]


def document(*statements: Statement) -> str:
    """Return a policy of these statements, always written alike."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def role_arn(account: str, name: str) -> str:
    """Return the ARN of a role of ours."""
    return f"arn:aws:iam::{account}:role{PATH}{name}"


def trust(service: str, account: str) -> str:
    """Return who may take a role: a service of AWS, on behalf of this account alone."""
    allowed: Statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    if service != "ec2":  # which names no account when an instance starts
        allowed["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return document(allowed)


def use_of_keys(account: str, slug: str, given: tuple[str, ...], *more: str) -> Statement:
    """Return the use of keys: those that were given, else those under the alias of `slug`."""
    use: Statement = {
        "Sid": "Keys",
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey", *more],
        "Resource": list(given) or f"arn:aws:kms:*:{account}:key/*",
    }
    if not given:
        use["Condition"] = {"ForAnyValue:StringLike": {"kms:ResourceAliases": f"alias/{slug}"}}
    return use


def host_statements(
    account: str, slug: str, buckets: tuple[str, ...], keys: tuple[str, ...] = ()
) -> tuple[Statement, ...]:
    """Return what a host that trades may do: its buckets, secrets, logs and figures."""
    return (
        {
            "Sid": "Objects",
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{name}/*" for name in buckets],
        },
        {
            "Sid": "Buckets",
            "Effect": "Allow",
            "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": [f"arn:aws:s3:::{name}" for name in buckets],
        },
        {
            "Sid": "Secrets",
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": f"arn:aws:secretsmanager:*:{account}:secret:{slug}/*",
        },
        use_of_keys(account, slug, keys),
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:*:{account}:log-group:/opsctl/{slug}/*",
        },
        {
            "Sid": "Figures",
            "Effect": "Allow",
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",  # the action knows no resource; the namespace bounds it
            "Condition": {"StringEquals": {"cloudwatch:namespace": "opsctl"}},
        },
    )


def flow_logs(account: str, slug: str) -> str:
    """Return what writes flow logs: into the log groups of one environment."""
    groups = f"arn:aws:logs:*:{account}:log-group:/opsctl/{slug}/*"
    return document(
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            "Resource": groups,
        },
        {
            "Effect": "Allow",
            "Action": "logs:DescribeLogGroups",
            "Resource": f"arn:aws:logs:*:{account}:log-group:*",
        },
    )


def key(account: str, region: str) -> str:
    """Return who may use a key: whom IAM of the account lets, and services that encrypt for it."""
    ours = {"StringEquals": {"aws:SourceAccount": account}}
    groups = f"arn:aws:logs:{region}:{account}:log-group:/opsctl/*"
    use = ["kms:Decrypt", "kms:GenerateDataKey*"]
    return document(
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{region}.amazonaws.com"},
            "Action": [*use, "kms:Encrypt*", "kms:ReEncrypt*", "kms:Describe*"],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        },
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]},
            "Action": use,
            "Resource": "*",
            "Condition": ours,
        },
    )


def topic(account: str, region: str, name: str) -> str:
    """Return who may publish to a topic: alarms and budgets of the account."""
    return document(
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]},
            "Action": "sns:Publish",
            "Resource": f"arn:aws:sns:{region}:{account}:{name}",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )


def tls_only(bucket: str) -> str:
    """Return what refuses whoever comes to a bucket without TLS."""
    arn = f"arn:aws:s3:::{bucket}"
    return document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def replication(account: str, slug: str, source: str, copy: str, keys: tuple[str, ...] = ()) -> str:
    """Return what copies a bucket into another region."""
    versions = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"]
    return document(
        {
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
            "Resource": f"arn:aws:s3:::{source}",
        },
        {
            "Effect": "Allow",
            "Action": [
                *versions,
                "s3:GetObjectLegalHold",
                "s3:GetObjectRetention",
                "s3:GetObjectVersionTagging",
            ],
            "Resource": f"arn:aws:s3:::{source}/*",
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"],
            "Resource": f"arn:aws:s3:::{copy}/*",
        },
        use_of_keys(account, slug, keys, "kms:Encrypt"),
    )


def ci_trust(account: str, ci: CiPart) -> str:
    """Return who may take the role of CI: jobs of one repository, by tokens of its issuer."""
    subject = "project_path" if "gitlab" in ci.issuer else "repo"
    return document(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{ci.issuer}"},
            "Condition": {
                "StringEquals": {f"{ci.issuer}:aud": "sts.amazonaws.com"},
                "StringLike": {f"{ci.issuer}:sub": f"{subject}:{ci.repository}:*"},
            },
        }
    )
