"""What lies or travels in the clear: what the rules find, and what they let through."""

from __future__ import annotations

from opsctl.infra.previewed import UNKNOWN
from tests.support.previews import NO_HTTP, policy
from tests.unit.infra.guardrails.case import Case, of

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
]

HOLDS = {
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
}
