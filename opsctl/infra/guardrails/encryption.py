"""Rules on encryption: at rest, and in transit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.policies import statements
from opsctl.infra.guardrails.reading import (
    BUCKET,
    DATABASE,
    HOST,
    KEY,
    LOG_GROUP,
    TEMPLATE,
    TOPIC,
    VOLUME,
    at,
    companions,
    each,
    kept,
    truth,
    unknown,
)
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import UNKNOWN, Preview, Resource

SSE = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
_ALGORITHMS = ("aws:kms", "aws:kms:dsse", "AES256")
_SYMMETRIC = (None, "SYMMETRIC_DEFAULT")


def _volumes(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, VOLUME):
        yield from _yes(one, at(one.inputs, "encrypted"), "the volume")
    for one in kept(preview, HOST):
        if one.inputs.get("launchTemplate") is None or "rootBlockDevice" in one.inputs:
            yield from _yes(one, at(one.inputs, "rootBlockDevice.encrypted"), "the root volume")
        yield from _disks(one, "ebsBlockDevices", "encrypted")
    for one in kept(preview, TEMPLATE):
        yield from _disks(one, "blockDeviceMappings", "ebs.encrypted")
        if each(one.inputs, "blockDeviceMappings") == []:
            yield Wrong(one, "says nothing of its volumes: the root volume is as the image has it")


def _disks(one: Resource, block: str, path: str) -> Iterator[Wrong]:
    disks = each(one.inputs, block)
    for disk in [UNKNOWN] if disks is None else disks:
        if isinstance(disk, dict) and disk.get("virtualName"):
            continue  # an instance store, whose blocks are encrypted by the hardware
        name = at(disk, "deviceName")
        yield from _yes(one, at(disk, path), "a volume" if unknown(name) else str(name))


def _yes(one: Resource, value: Any, what: str) -> Iterator[Wrong]:
    """Yield that something is not encrypted, or may not be."""
    said = truth(value)
    if said is None:
        yield Wrong(one, f"whether {what} is encrypted is known only after", unknown=True)
    elif not said:
        yield Wrong(one, f"{what} is not encrypted")


def _databases(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, DATABASE):
        yield from _yes(one, at(one.inputs, "storageEncrypted"), "its storage")


def _buckets(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, BUCKET):
        found = companions(preview, one, SSE, "bucket")
        if found is None:
            yield Wrong(one, "it is not known which bucket an encryption belongs to", unknown=True)
            continue
        names = [_algorithm(each_rule) for sse in found for each_rule in _rules(sse)]
        if any(name in _ALGORITHMS for name in names):
            continue
        if any(unknown(name) for name in names):
            yield Wrong(one, "its encryption is known only after", unknown=True)
        else:
            yield Wrong(one, "its encryption is not declared")


def _rules(sse: Resource) -> list[Any]:
    found = each(sse.inputs, "rules")
    return [UNKNOWN] if found is None else found


def _algorithm(rule: Any) -> Any:
    return at(rule, "applyServerSideEncryptionByDefault.sseAlgorithm")


def _own_keys(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for kind, path, what in (
        (TOPIC, "kmsMasterKeyId", "messages lie"),
        (LOG_GROUP, "kmsKeyId", "logs lie"),
    ):
        for one in kept(preview, kind):
            # A reference to a key that is yet to be made is a key: unknown is enough.
            if not at(one.inputs, path):
                yield Wrong(one, f"its {what} without a key of yours: `{path}` is not set")


def _rotation(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, KEY):
        if at(one.inputs, "customerMasterKeySpec") not in _SYMMETRIC:
            continue  # AWS rotates symmetric keys only
        said = truth(at(one.inputs, "enableKeyRotation"))
        if not said:
            yield Wrong(one, "the key is not rotated", unknown=said is None)


def _plain_http(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, BUCKET):
        found = companions(preview, one, "aws:s3/bucketPolicy:BucketPolicy", "bucket")
        policies = [] if found is None else [statements(at(p.inputs, "policy")) for p in found]
        if any(policy is not None and any(map(_refuses_http, policy)) for policy in policies):
            continue
        if found is None or None in policies:
            yield Wrong(one, "what its policy says is known only after", unknown=True)
        else:
            yield Wrong(one, "no policy refuses plain HTTP")


def _refuses_http(statement: Any) -> bool:
    """Whether it denies everybody everything that comes without TLS."""
    if statement.allows or not statement.anybody:
        return False
    if not {"*", "s3:*"} & set(statement.actions):
        return False
    said = statement.condition.get("Bool", {}).get("aws:SecureTransport")
    words = said if isinstance(said, list) else [said]
    return len(statement.condition) == 1 and [str(word).lower() for word in words] == ["false"]


def _database_tls(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, DATABASE):
        name = at(one.inputs, "parameterGroupName")
        if name is None:
            yield Wrong(one, "it has no parameter group that forces TLS")
            continue
        groups = list(kept(preview, "aws:rds/parameterGroup:ParameterGroup"))
        if not unknown(name):
            groups = [g for g in groups if name in (g.id, g.inputs.get("name"))]
        # Where it is not known which group is meant, every one that it may be has to force TLS.
        forced = [_forces_tls(group) for group in groups]
        if not groups:
            yield Wrong(one, f"its parameter group {name} is none of this stack", unknown=True)
        elif not all(forced):
            sure = all(said is not None for said in forced) and False in forced
            yield Wrong(one, "its parameter group does not force TLS", unknown=not sure)


def _forces_tls(group: Resource) -> bool | None:
    parameters = each(group.inputs, "parameters")
    if parameters is None:
        return None
    for parameter in parameters:
        if at(parameter, "name") in ("rds.force_ssl", "require_secure_transport"):
            value = at(parameter, "value")
            return None if unknown(value) else str(value).lower() in ("1", "on", "true")
    return False


RULES = (
    Rule(
        "AWS-ENC-001",
        "Volumes are encrypted",
        Severity.REFUSE,
        "A volume outlives its host in snapshots, and holds journals, books and keys.",
        sources.EBS_ENCRYPTION,
        "Set `encrypted: true` on the volume, the root volume and every block device.",
        _volumes,
    ),
    Rule(
        "AWS-ENC-002",
        "Managed databases are encrypted",
        Severity.REFUSE,
        "It cannot be switched on later: the database would have to be replaced.",
        sources.RDS_ENCRYPTION,
        "Set `storageEncrypted: true`.",
        _databases,
    ),
    Rule(
        "AWS-ENC-003",
        "Buckets declare their encryption",
        Severity.REFUSE,
        "What AWS does by itself is neither under a key of yours nor seen in a review.",
        sources.AT_REST,
        "Declare a BucketServerSideEncryptionConfiguration, best with `aws:kms`.",
        _buckets,
    ),
    Rule(
        "AWS-ENC-004",
        "Topics and logs are encrypted with a key of yours",
        Severity.REFUSE,
        "Alarms and logs name hosts, orders and people.",
        sources.AT_REST,
        "Set `kmsMasterKeyId` of the topic, `kmsKeyId` of the log group.",
        _own_keys,
    ),
    Rule(
        "AWS-ENC-005",
        "Keys are rotated",
        Severity.WARN,
        "A key that leaked should not open what is written next year.",
        sources.KMS_ROTATION,
        "Set `enableKeyRotation: true`.",
        _rotation,
    ),
    Rule(
        "AWS-TLS-001",
        "Buckets refuse plain HTTP",
        Severity.REFUSE,
        "S3 also answers without TLS, and then anybody on the way reads along.",
        sources.S3_TLS,
        "Deny `s3:*` to everybody where `aws:SecureTransport` is false, in the bucket's policy.",
        _plain_http,
    ),
    Rule(
        "AWS-TLS-002",
        "Managed databases force TLS",
        Severity.REFUSE,
        "A client that asks for no TLS would send its password and the book in the clear.",
        sources.IN_TRANSIT,
        "Set `rds.force_ssl` to 1 in a parameter group of the stack, and name it.",
        _database_tls,
    ),
)
