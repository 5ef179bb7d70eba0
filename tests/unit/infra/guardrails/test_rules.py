"""Each rule fires on what it is against, and only there; what it cannot know it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from opsctl.infra.guardrails import Finding, judge
from opsctl.infra.guardrails.catalogue import RULES
from opsctl.infra.previewed import SECRET, UNKNOWN, Action, Property, Resource
from opsctl.model.tiers import DrTier
from tests.support.previews import (
    BY_CI,
    BY_HOSTS,
    ENVIRONMENT,
    FACTS,
    ISSUER,
    NO_HTTP,
    policy,
    preview,
    put,
    resource,
    sound,
)

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@dataclass(frozen=True)
class Case:
    """A change to the sound preview, and what a rule says then."""

    rule: str
    about: str
    """The resource that the rule is to find."""
    put: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By resource: path -> value; None takes it out."""
    drop: tuple[str, ...] = ()
    add: tuple[Resource, ...] = ()
    update: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By resource: what else of it differs."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    unknown: bool = False
    alone: bool = True
    """Whether nothing else is found by the rule."""

    def judged(self) -> list[Finding]:
        found = sound()
        for name, inputs in self.put.items():
            for path, value in inputs.items():
                found[name] = put(found[name], path, value)
        for name, fields in self.update.items():
            found[name] = found[name].model_copy(update=dict(fields))
        for name in self.drop:
            del found[name]
        resources = [*found.values(), *self.add]
        facts = FACTS.model_copy(update=dict(self.facts))
        return list(judge(preview(resources), facts).findings)


def of(rule: str, about: str, path: str, value: Any, *, unknown: bool = False) -> Case:
    """Return the case of one value of one resource."""
    return Case(rule, about, {about: {path: value}}, unknown=unknown)


OPEN = {"protocol": "tcp", "cidrBlocks": ["0.0.0.0/0"]}
GONE = {"action": Action.DELETE, "protected": False}
HALVES = ("0.0.0.0/1", "8.0.0.0/7", "::/0", "2000::/3", "2000::/15")

FIRES = [
    of("AWS-ENC-001", "data-a", "encrypted", False),
    of("AWS-ENC-001", "data-a", "encrypted", None),
    of("AWS-ENC-001", "data-a", "encrypted", UNKNOWN, unknown=True),
    of("AWS-ENC-001", "host-a", "rootBlockDevice.encrypted", None),
    of("AWS-ENC-001", "host-a", "ebsBlockDevices", [{"deviceName": "/dev/sdf"}]),
    of("AWS-ENC-001", "host-a", "ebsBlockDevices", UNKNOWN, unknown=True),
    of("AWS-ENC-001", "template-a", "blockDeviceMappings.0.ebs.encrypted", "false"),
    of("AWS-ENC-001", "template-a", "blockDeviceMappings", None),
    of("AWS-ENC-002", "books", "storageEncrypted", False),
    of("AWS-ENC-002", "books", "storageEncrypted", UNKNOWN, unknown=True),
    Case("AWS-ENC-003", "backups", drop=("backups-encryption",)),
    Case("AWS-ENC-003", "backups", {"backups-encryption": {"rules": []}}),
    Case("AWS-ENC-003", "backups", {"backups-encryption": {"rules": UNKNOWN}}, unknown=True),
    Case("AWS-ENC-003", "backups", update={"backups-encryption": {"name": "other"}}, unknown=True),
    Case("AWS-ENC-003", "backups", {"backups-encryption": {"bucket": "another-bucket"}}),
    of("AWS-ENC-004", "alarms", "kmsMasterKeyId", None),
    of("AWS-ENC-004", "logs", "kmsKeyId", None),
    of("AWS-ENC-005", "key", "enableKeyRotation", False),
    of("AWS-ENC-005", "key", "enableKeyRotation", UNKNOWN, unknown=True),
    Case("AWS-TLS-001", "backups", drop=("backups-policy",)),
    Case("AWS-TLS-001", "backups", {"backups-policy": {"policy": UNKNOWN}}, unknown=True),
    Case("AWS-TLS-001", "backups", {"backups-policy": {"policy": "no JSON"}}, unknown=True),
    *(
        Case("AWS-TLS-001", "backups", {"backups-policy": {"policy": policy(NO_HTTP | other)}})
        for other in (
            {"Effect": "Allow"},
            {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
            {"Action": "s3:GetObject"},
            {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            {
                "Condition": {
                    "Bool": {"aws:SecureTransport": "false"},
                    "IpAddress": {"aws:SourceIp": "192.0.2.0/24"},
                }
            },
        )
    ),
    of("AWS-TLS-002", "books", "parameterGroupName", None),
    of("AWS-TLS-002", "books", "parameterGroupName", "default.postgres17", unknown=True),
    Case("AWS-TLS-002", "books", {"books-parameters": {"parameters.0.value": "0"}}),
    Case("AWS-TLS-002", "books", {"books-parameters": {"parameters": []}}),
    Case("AWS-TLS-002", "books", {"books-parameters": {"parameters": UNKNOWN}}, unknown=True),
    of("AWS-NET-001", "journal-a", "cidrIpv4", "0.0.0.0/0"),
    *(of("AWS-NET-001", "journal-a", f"cidrIpv{6 if ':' in one else 4}", one) for one in HALVES),
    of("AWS-NET-001", "journal-a", "cidrIpv4", UNKNOWN, unknown=True),
    of("AWS-NET-001", "journal-a", "cidrIpv4", "everywhere", unknown=True),
    of("AWS-NET-001", "group-a", "ingress", [OPEN]),
    of("AWS-NET-001", "group-a", "ingress", [{"ipv6CidrBlocks": ["::/0"]}]),
    of("AWS-NET-001", "group-a", "ingress", UNKNOWN, unknown=True),
    of("AWS-NET-001", "group-a", "ingress", [{"cidrBlocks": UNKNOWN}], unknown=True),
    Case(
        "AWS-NET-001",
        "old",
        add=(resource("aws:ec2/securityGroupRule:SecurityGroupRule", "old", OPEN),),
    ),
    of("AWS-NET-002", "host-a", "associatePublicIpAddress", True),
    of("AWS-NET-002", "host-a", "associatePublicIpAddress", UNKNOWN, unknown=True),
    of("AWS-NET-002", "template-a", "networkInterfaces.0.associatePublicIpAddress", "true"),
    of("AWS-NET-002", "template-a", "networkInterfaces", UNKNOWN, unknown=True),
    of("AWS-NET-002", "books", "publiclyAccessible", True),
    Case("AWS-NET-003", "backups", drop=("backups-private",)),
    Case("AWS-NET-003", "backups", {"backups-private": {"ignorePublicAcls": False}}),
    Case("AWS-NET-003", "backups", {"backups-private": {"blockPublicAcls": UNKNOWN}}, unknown=True),
    Case("AWS-NET-003", "backups", update={"backups-private": {"name": "other"}}, unknown=True),
    Case("AWS-NET-004", "vpc-a", drop=("vpc-a-flows",)),
    Case("AWS-NET-004", "vpc-a", update={"vpc-a-flows": {"name": "other"}}, unknown=True),
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
    *(
        Case("AWS-DEL-001", name, update={name: {"protected": False}})
        for name in ("data-a", "backups", "books", "key", "secret", "zone")
    ),
    of("AWS-DEL-002", "books", "deletionProtection", False),
    of("AWS-DEL-002", "books", "deletionProtection", None),
    of("AWS-DEL-002", "books", "deletionProtection", UNKNOWN, unknown=True),
    of("AWS-DEL-003", "backups", "forceDestroy", True),
    of("AWS-DEL-003", "backups", "forceDestroy", UNKNOWN, unknown=True),
    of("AWS-DEL-003", "books", "skipFinalSnapshot", True),
    of("AWS-DEL-003", "secret", "recoveryWindowInDays", 0.0),
    of("AWS-DEL-003", "secret", "recoveryWindowInDays", UNKNOWN, unknown=True),
    Case("AWS-DEL-004", "backups", drop=("backups-versions",)),
    Case(
        "AWS-DEL-004",
        "backups",
        {"backups-versions": {"versioningConfiguration.status": "Suspended"}},
    ),
    Case(
        "AWS-DEL-004",
        "backups",
        {"backups-versions": {"versioningConfiguration": UNKNOWN}},
        unknown=True,
    ),
    of("AWS-DEL-005", "books", "backupRetentionPeriod", 0),
    of("AWS-DEL-005", "books", "backupRetentionPeriod", None),
    of("AWS-DEL-005", "books", "backupRetentionPeriod", UNKNOWN, unknown=True),
    of("AWS-TAG-001", "logs", "tags", None),
    of("AWS-TAG-001", "logs", "tags.owner", None),
    of("AWS-TAG-001", "host-a", "tags.dr", ""),
    of("AWS-TAG-001", "vpc-b", "tags.site", None),
    of("AWS-TAG-001", "logs", "tags", UNKNOWN, unknown=True),
    of("AWS-TAG-001", "logs", "tags.tier", UNKNOWN, unknown=True),
    Case("AWS-TAG-001", "logs", facts={"expires": date(2026, 3, 9)}, alone=False),
    of("AWS-OWN-001", "logs", "tags.owner", "somebody else"),
    Case("AWS-OWN-001", ENVIRONMENT, facts={"owner": " "}),
    Case("AWS-EXP-001", ENVIRONMENT, facts={"ephemeral": True}),
    Case("AWS-EXP-001", ENVIRONMENT, facts={"expires": date(2026, 3, 1)}),
    of("AWS-REG-001", "eu", "region", "us-east-1"),
    of("AWS-REG-001", "eu", "region", None, unknown=True),
    of("AWS-REG-001", "eu", "region", UNKNOWN, unknown=True),
    of("AWS-REG-001", "logs", "region", "us-east-1"),
    of("AWS-REG-001", "subnet-a", "availabilityZone", "eu-west-1a"),
    of("AWS-FD-001", "data-b", "availabilityZone", "eu-central-1a"),
    Case("AWS-FD-001", "host-b", {"subnet-b": {"availabilityZone": "eu-central-1a"}}),
    Case(
        "AWS-FD-001",
        "data-b",
        {"data-b": {"availabilityZone": "eu-central-1a"}},
        facts={"domains": {}},
    ),
    Case("AWS-FD-001", "host-b", {"subnet-b": {"availabilityZone": UNKNOWN}}, unknown=True),
    of("AWS-FD-001", "host-b", "tags", UNKNOWN, unknown=True),
    Case("AWS-FD-001", ENVIRONMENT, drop=("host-witness", "data-witness")),
    Case(
        "AWS-FD-001",
        ENVIRONMENT,
        facts={"domains": {"a": "z", "b": "z"}, "dr": DrTier.WARM},
        alone=False,
    ),
    Case(
        "AWS-CHG-001",
        ENVIRONMENT,
        update=dict.fromkeys(("logs", "alarms", "budget"), GONE),
        facts={"max_deletions": 2},
    ),
    Case("AWS-CHG-002", "data-a", update={"data-a": {"action": Action.REPLACE}}),
    Case("AWS-CHG-002", "books", update={"books": GONE}),
    Case(
        "AWS-CHG-002",
        "data-a",
        update={name: {"action": Action.REPLACE} for name in ("data-a", "data-b")},
        facts={"replace_data": ("data-b",)},
    ),
    Case("AWS-COST-001", ENVIRONMENT, facts={"cost_usd_year": (1_000, 10_000)}),
    of("AWS-COST-002", "host-a", "instanceType", "q9.large", unknown=True),
    of("AWS-COST-002", "host-a", "instanceType", UNKNOWN, unknown=True),
    of("AWS-COST-002", "data-a", "type", "gp9", unknown=True),
    of("AWS-COST-002", "books", "instanceClass", "db.q9.large", unknown=True),
    Case(
        "AWS-COST-002", ENVIRONMENT, facts={"regions": ("eu-central-1", "xx-far-1")}, unknown=True
    ),
    Case("AWS-COST-003", ENVIRONMENT, drop=("budget",)),
]
"""Each changes one thing of a preview in which nothing is found."""


def _id(case: Case) -> str:
    return f"{case.rule}-{case.about}-{'unknown' if case.unknown else 'wrong'}"


@pytest.mark.parametrize("case", FIRES, ids=_id)
def test_a_rule_finds_what_it_is_against(case: Case) -> None:
    found = [one for one in case.judged() if one.rule == case.rule]
    about = {(one.resource, one.unknown) for one in found}
    assert (case.about, case.unknown) in about, found
    assert len(about) == 1 or not case.alone, "and finds nothing elsewhere"


def test_nothing_is_found_where_every_rule_holds() -> None:
    assert judge(preview(sound()), FACTS).findings == ()


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in FIRES} == {rule.id for rule in RULES}


def test_every_rule_that_reads_values_says_what_it_cannot_know() -> None:
    of_facts = {"AWS-CHG-001", "AWS-CHG-002", "AWS-COST-001", "AWS-COST-003", "AWS-DEL-001"}
    reads_no_value = of_facts | {"AWS-ENC-004", "AWS-EXP-001", "AWS-OWN-001"}
    assert {case.rule for case in FIRES if case.unknown} == (
        {rule.id for rule in RULES} - reads_no_value
    )


HOLDS = {
    "a host as its template says": Case(
        "AWS-IMDS-001",
        "host-a",
        {"host-a": {"launchTemplate": {"id": UNKNOWN}, "metadataOptions": None}},
    ),
    "no metadata service at all": of(
        "AWS-IMDS-001", "host-a", "metadataOptions", {"httpEndpoint": "disabled"}
    ),
    "an instance store, which the hardware encrypts": of(
        "AWS-ENC-001",
        "host-a",
        "ebsBlockDevices",
        [{"deviceName": "/dev/sdb", "virtualName": "ephemeral0"}],
    ),
    "a key that signs": Case(
        "AWS-ENC-005",
        "key",
        {"key": {"customerMasterKeySpec": "ECC_NIST_P256", "enableKeyRotation": False}},
    ),
    "a group that may come in": Case(
        "AWS-NET-001",
        "journal-a",
        {"journal-a": {"cidrIpv4": None, "referencedSecurityGroupId": UNKNOWN}},
    ),
    "the network of a firm": of("AWS-NET-001", "journal-a", "cidrIpv4", "10.0.0.0/8"),
    "outgoing traffic": Case(
        "AWS-NET-001",
        "group-a",
        {"group-a": {"egress": [OPEN]}},
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
    "a companion that names its bucket": Case(
        "AWS-ENC-003",
        "backups",
        {"backups-encryption": {"bucket": "desk-backups"}},
        update={"backups-encryption": {"name": "other"}},
    ),
    "a companion below its bucket": Case(
        "AWS-ENC-003",
        "backups",
        update={
            "backups-encryption": {
                "name": "other",
                "parent": "urn:pulumi:desk::trading::aws:s3/bucket:Bucket::backups",
            }
        },
    ),
    "what is protected in an ephemeral environment": Case(
        "AWS-DEL-001",
        "data-a",
        update={"data-a": {"protected": False}},
        facts={"ephemeral": True, "expires": date(2026, 3, 2)},
    ),
    "what goes is not judged for what it was": Case(
        "AWS-TAG-001", "logs", {"logs": {"tags": None}}, update={"logs": GONE}
    ),
    "tags that the provider gives": Case(
        "AWS-TAG-001",
        "logs",
        {"logs": {"tagsAll": sound()["logs"].inputs["tags"], "tags": {}}},
    ),
    "data that may go, as the command line says": Case(
        "AWS-CHG-002",
        "data-a",
        update={"data-a": {"action": Action.REPLACE}},
        facts={"replace_data": ("data-a",)},
    ),
    "as many deletions as may be": Case(
        "AWS-CHG-001",
        ENVIRONMENT,
        update={"logs": GONE, "alarms": GONE},
        facts={"max_deletions": 2},
    ),
    "the last day of an environment": Case(
        "AWS-EXP-001", ENVIRONMENT, facts={"expires": date(2026, 3, 2)}
    ),
    "sites of a cold environment": Case(
        "AWS-FD-001",
        "data-b",
        {"data-b": {"availabilityZone": "eu-central-1a"}},
        facts={"dr": DrTier.COLD},
    ),
    "a replica is backed up where it comes from": Case(
        "AWS-DEL-005",
        "books",
        {"books": {"replicateSourceDb": "arn", "backupRetentionPeriod": None}},
    ),
    "an ephemeral environment without a budget": Case(
        "AWS-COST-003",
        ENVIRONMENT,
        drop=("budget",),
        facts={"ephemeral": True, "expires": date(2026, 3, 2)},
    ),
    "a cost without an upper bound": Case(
        "AWS-COST-001", ENVIRONMENT, facts={"cost_usd_year": (1_000, None)}
    ),
}


@pytest.mark.parametrize("about", HOLDS)
def test_a_rule_lets_through_what_is_right(about: str) -> None:
    case = HOLDS[about]
    assert [one for one in case.judged() if one.rule == case.rule] == []


def test_a_replacement_names_the_property_that_forces_it() -> None:
    forced = (Property(path="size", old=1, new=2), Property(path="encrypted", replaces=True))
    case = Case(
        "AWS-CHG-002",
        "data-a",
        update={"data-a": {"action": Action.REPLACE, "properties": forced}},
    )
    (found,) = [one for one in case.judged() if one.rule == case.rule]
    assert found.problem == "holds data, and would be replaced because of encrypted"


@pytest.mark.parametrize(
    ("companion", "lacking"),
    [
        # `backups` and `backups-copy` are there: the longest beginning in common tells whose it is.
        ("backups-copy-encryption", {"backups": False}),
        ("backups-encryption", {"backups-copy": False}),
        ("encryption", {"backups": True, "backups-copy": True}),
    ],
)
def test_two_buckets_do_not_share_what_is_declared_of_one(
    companion: str, lacking: dict[str, bool]
) -> None:
    copy = resource("aws:s3/bucket:Bucket", "backups-copy", {}, protected=True)
    found = sound()
    moved = found["backups-encryption"].model_copy(update={"name": companion})
    found["backups-encryption"] = moved
    judged = judge(preview([*found.values(), copy]), FACTS)
    said = {one.resource: one.unknown for one in judged.findings if one.rule == "AWS-ENC-003"}
    assert said == lacking


def test_of_owners_that_are_as_near_none_is_guessed() -> None:
    found = sound()
    network = found["vpc-a"]
    twins = [network.model_copy(update={"name": name, "urn": name}) for name in ("vpc-x", "vpc-y")]
    flows = found["vpc-a-flows"].model_copy(update={"name": "vpc-flows"})
    judged = judge(preview([*found.values(), *twins, flows]), FACTS)
    said = {one.resource: one.unknown for one in judged.findings if one.rule == "AWS-NET-004"}
    assert said == {"vpc-x": True, "vpc-y": True}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_says_why_and_whence(rule: Any) -> None:
    title, _, address = rule.source.rpartition(": ")
    assert title.startswith(("AWS Well-Architected, ", "CIS AWS Foundations Benchmark "))
    assert address.startswith("https://docs.aws.amazon.com/")
    assert rule.why.endswith(".")
    assert rule.comply.endswith(".")
    assert not rule.title.endswith(".")
