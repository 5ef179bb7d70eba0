"""What holds data: buckets, their copies, a managed database."""

from __future__ import annotations

import json

import pytest

from tests.support.declared import Stack
from tests.support.designs import DESIGNS

EVERY = pytest.mark.parametrize("which", DESIGNS)


@EVERY
def test_buckets_refuse_what_comes_without_tls(stacks: dict[str, Stack], which: str) -> None:
    for one in stacks[which].of("s3/bucketPolicy:BucketPolicy"):
        (statement,) = json.loads(one.inputs["policy"])["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert f"arn:aws:s3:::{one.inputs['bucket']}" in statement["Resource"]


def test_backups_are_locked_and_copied_after_both_keep_versions(stacks: dict[str, Stack]) -> None:
    stack = stacks["intraday-hot"]
    lock = stack.one("backups-lock").inputs["rule"]["defaultRetention"]
    assert lock == {"days": 30, "mode": "GOVERNANCE"}
    assert stack.one("backups", "s3/bucket:").inputs["objectLockEnabled"] is True
    assert stack.one("data", "s3/bucket:").inputs["objectLockEnabled"] is False
    copying = stack.one("backups-copying")
    assert {"backups-versions", "backups-copy-versions"} <= set(copying.depends)
    (rule,) = copying.inputs["rules"]
    target = rule["destination"]
    assert target["bucket"] == f"arn:aws:s3:::{stack.outputs['buckets']['backups-copy']}"
    assert target["encryptionConfiguration"]["replicaKmsKeyId"] == "arn:aws:mock:::key-us-east-2"
    assert stack.one("backups-copy", "s3/bucket:").provider == "aws-us-east-2"


def test_a_managed_database_keeps_its_password_out_of_the_state(stacks: dict[str, Stack]) -> None:
    stack = stacks["daily-warm"]
    first = stack.one("database", "rds/instance").inputs
    assert (first["manageMasterUserPassword"], "password" in first) == (True, False)
    assert (first["multiAz"], first["deletionProtection"]) == (True, True)
    copy = stack.one("database-copy")
    assert copy.provider == "aws-us-west-2"
    assert copy.inputs["replicateSourceDb"] == "arn:aws:mock:::database"
    assert copy.inputs["kmsKeyId"] == "arn:aws:mock:::key-us-west-2"
    forced = {"name": "rds.force_ssl", "value": "1"}
    assert stack.one("database-parameters-a").inputs["parameters"] == [forced]
    assert stack.outputs["database"] == {
        "host": "database.example",
        "port": 5432,
        "secret": "arn:aws:mock:::database-master",
    }
    assert stacks["weekly-cold"].outputs["database"] == {}
