"""Who may do too much, and hosts that hand out rights: what rules find, and let through."""

from __future__ import annotations

from opsctl.infra.previewed import SECRET, UNKNOWN
from tests.support.previews import BY_CI, BY_HOSTS, ISSUER, NO_HTTP, policy
from tests.unit.infra.guardrails.case import Case, of

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}

FIRES = [
    of("AWS-IAM-001", "host-rights", "policy", policy(EVERYTHING)),
    of("AWS-IAM-001", "host-rights", "policy", policy(EVERYTHING | {"Action": ["*:*"]})),
    of(
        "AWS-IAM-001",
        "host-rights",
        "policy",
        policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
    ),
    of("AWS-IAM-001", "host-rights", "policy", UNKNOWN, unknown=True),
    of("AWS-IAM-001", "host-rights", "policy", SECRET, unknown=True),
    of(
        "AWS-IAM-001",
        "host-rights",
        "policy",
        policy(EVERYTHING | {"Action": UNKNOWN}),
        unknown=True,
    ),
    of("AWS-IAM-001", "host-role", "inlinePolicies", [{"policy": policy(EVERYTHING)}]),
    of("AWS-IAM-001", "host-role", "inlinePolicies", UNKNOWN, unknown=True),
    of(
        "AWS-IAM-001",
        "host-session",
        "policyArn",
        "arn:aws:iam::aws:policy/AdministratorAccess",
    ),
    of(
        "AWS-IAM-001",
        "host-role",
        "managedPolicyArns",
        ["arn:aws:iam::aws:policy/PowerUserAccess"],
    ),
    *(
        of(
            "AWS-IAM-002",
            "host-rights",
            "policy",
            policy({"Effect": "Allow", "Action": action, "Resource": over}),
        )
        for action, over in (
            ("iam:PassRole", "*"),
            ("iam:*", "*"),
            ("IAM:Pass*", "arn:aws:iam::123456789012:role/*"),
        )
    ),
    of(
        "AWS-IAM-002",
        "host-rights",
        "policy",
        policy(
            {"Effect": "Allow", "Action": "iam:PassRole", "NotResource": "arn:aws:iam::1:role/a"}
        ),
    ),
    of("AWS-IAM-002", "host-rights", "policy", UNKNOWN, unknown=True),
    of("AWS-IAM-003", "host-role", "assumeRolePolicy", policy(BY_HOSTS | {"Principal": "*"})),
    of(
        "AWS-IAM-003",
        "host-role",
        "assumeRolePolicy",
        policy(BY_HOSTS | {"Principal": {"AWS": ["*"]}}),
    ),
    of("AWS-IAM-003", "host-role", "assumeRolePolicy", UNKNOWN, unknown=True),
    *(
        of("AWS-IAM-003", "ci-role", "assumeRolePolicy", policy(BY_CI | {"Condition": condition}))
        for condition in (
            {},
            {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}},
            {"StringLike": {f"{ISSUER}:sub": "repo:*"}},
            {"StringLike": {f"{ISSUER}:sub": ["repo:firm/platform:*", "*"]}},
        )
    ),
    of(
        "AWS-IAM-004",
        "backups-policy",
        "policy",
        policy(NO_HTTP, {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}),
    ),
    of("AWS-IAM-004", "key", "policy", UNKNOWN, unknown=True),
    of(
        "AWS-IAM-004",
        "alarms",
        "policy",
        policy({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:Publish"}),
    ),
    of("AWS-IMDS-001", "template-a", "metadataOptions.httpTokens", "optional"),
    of("AWS-IMDS-001", "template-a", "metadataOptions", None),
    of("AWS-IMDS-001", "host-a", "metadataOptions", None),
    of("AWS-IMDS-001", "host-a", "metadataOptions", UNKNOWN, unknown=True),
    Case(
        "AWS-IMDS-001",
        "host-a",
        {"host-a": {"launchTemplate": {"id": UNKNOWN}, "metadataOptions.httpTokens": "optional"}},
    ),
]

HOLDS = {
    "a host as its template says": Case(
        "AWS-IMDS-001",
        "host-a",
        {"host-a": {"launchTemplate": {"id": UNKNOWN}, "metadataOptions": None}},
    ),
    "no metadata service at all": of(
        "AWS-IMDS-001", "host-a", "metadataOptions", {"httpEndpoint": "disabled"}
    ),
    "one role that may be passed": of(
        "AWS-IAM-002",
        "host-rights",
        "policy",
        policy(
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": "arn:aws:iam::123456789012:role/desk-host",
            }
        ),
    ),
    "a denial of everything": of(
        "AWS-IAM-001", "host-rights", "policy", policy(EVERYTHING | {"Effect": "Deny"})
    ),
    "anybody within the firm": of(
        "AWS-IAM-004",
        "alarms",
        "policy",
        policy(
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "sns:Publish",
                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            }
        ),
    ),
}
