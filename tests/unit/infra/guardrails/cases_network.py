"""What is open, public, or not logged: what the rules find, and what they let through."""

from __future__ import annotations

from opsctl.infra.previewed import UNKNOWN
from tests.support.previews import resource
from tests.unit.infra.guardrails.case import Case, of

OPEN = {"protocol": "tcp", "cidrBlocks": ["0.0.0.0/0"]}
HALVES = ("0.0.0.0/1", "8.0.0.0/7", "::/0", "2000::/3", "2000::/15")

FIRES = [
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
]

HOLDS = {
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
}
