"""The cases of buckets and databases."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.aws.cases import Case, first
from tests.integration.aws.world import World


def _tls_only(bucket: str, sid: str = "tls") -> str:
    statement = {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _lifecycle(days: int) -> list[dict[str, Any]]:
    return [
        {
            "id": "old",
            "status": "Enabled",
            "filter": {"prefix": "ticks/"},
            "transitions": [{"days": 30, "storageClass": "GLACIER_IR"}],
            "expiration": {"days": days},
            "noncurrentVersionExpiration": {"noncurrentDays": 30},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        }
    ]


def _replication(w: World, status: str) -> list[dict[str, Any]]:
    return [
        {
            "id": "all",
            "status": status,
            "priority": 1,
            "filter": {"prefix": ""},
            "deleteMarkerReplication": {"status": "Enabled"},
            "destination": {"bucket": w.copies["arn"], "storageClass": "STANDARD_IA"},
        }
    ]


BUCKETS = (
    Case(
        "aws:s3/bucket:Bucket",
        lambda w: {"objectLockEnabled": True, "forceDestroy": True},
        lambda aws, it: aws("s3").get_object_lock_configuration(Bucket=it.id)[
            "ObjectLockConfiguration"
        ]["ObjectLockEnabled"],
        "Enabled",
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").put_bucket_tagging(
            Bucket=it.id, Tagging={"TagSet": [{"Key": "who", "Value": "me"}]}
        ),
        drifted="tags",
    ),
    Case(
        "aws:s3/bucketVersioning:BucketVersioning",
        lambda w: {"bucket": w.plain.id, "versioningConfiguration": {"status": "Enabled"}},
        lambda aws, it: aws("s3").get_bucket_versioning(Bucket=it.id)["Status"],
        "Enabled",
        update={"versioningConfiguration": {"status": "Suspended"}},
        updated="Suspended",
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").put_bucket_versioning(
            Bucket=it.id, VersioningConfiguration={"Status": "Suspended"}
        ),
        drifted="versioningConfiguration",
        lasting=True,
    ),
    Case(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda w: {
            "bucket": w.plain.id,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": w.key["arn"],
                    },
                    "bucketKeyEnabled": True,
                }
            ],
        },
        lambda aws, it: first(
            aws("s3").get_bucket_encryption(Bucket=it.id)["ServerSideEncryptionConfiguration"][
                "Rules"
            ]
        )["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "aws:kms",
        update={"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        updated="AES256",
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").put_bucket_encryption(
            Bucket=it.id,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
        drifted="rules",
        lasting=True,
    ),
    Case(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda w: {
            "bucket": w.plain.id,
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        lambda aws, it: sum(
            aws("s3")
            .get_public_access_block(Bucket=it.id)["PublicAccessBlockConfiguration"]
            .values()
        ),
        4,
        update={"blockPublicAcls": False},
        updated=3,
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").delete_public_access_block(Bucket=it.id),
    ),
    Case(
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda w: {"bucket": w.plain.id, "policy": _tls_only(w.plain.id)},
        lambda aws, it: json.loads(aws("s3").get_bucket_policy(Bucket=it.id)["Policy"])[
            "Statement"
        ][0]["Effect"],
        "Deny",
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").put_bucket_policy(
            Bucket=it.id, Policy=_tls_only(it.id, "mine")
        ),
        drifted="policy",
    ),
    Case(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        lambda w: {
            "bucket": w.bucket.id,
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 30}},
        },
        lambda aws, it: aws("s3").get_object_lock_configuration(Bucket=it.id)[
            "ObjectLockConfiguration"
        ]["Rule"]["DefaultRetention"]["Days"],
        30,
        update={"rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 60}}},
        updated=60,
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").put_object_lock_configuration(
            Bucket=it.id,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
            },
        ),
        drifted="rule",
        lasting=True,
    ),
    Case(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda w: {"bucket": w.plain.id, "rules": _lifecycle(365)},
        lambda aws, it: first(aws("s3").get_bucket_lifecycle_configuration(Bucket=it.id)["Rules"])[
            "Expiration"
        ]["Days"],
        365,
        update={"rules": _lifecycle(730)},
        updated=730,
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").delete_bucket_lifecycle(Bucket=it.id),
    ),
    Case(
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        lambda w: {
            "bucket": w.bucket.id,
            "role": w.role["arn"],
            "rules": _replication(w, "Enabled"),
        },
        lambda aws, it: first(
            aws("s3").get_bucket_replication(Bucket=it.id)["ReplicationConfiguration"]["Rules"]
        )["Status"],
        "Enabled",
        replace={"bucket": "another-bucket"},
        drift=lambda aws, it: aws("s3").delete_bucket_replication(Bucket=it.id),
    ),
)

DATABASES = (
    Case(
        "aws:rds/subnetGroup:SubnetGroup",
        lambda w: {"subnetIds": [w.subnet_a.id, w.subnet_b.id], "description": "data"},
        lambda aws, it: [
            first(aws("rds").describe_db_subnet_groups(DBSubnetGroupName=it.id)["DBSubnetGroups"])[
                "DBSubnetGroupDescription"
            ],
        ],
        ["data"],
        update={"description": "other"},
        updated=["other"],
        replace={"name": "another"},
        drift=lambda aws, it: aws("rds").delete_db_subnet_group(DBSubnetGroupName=it.id),
    ),
    Case(
        "aws:rds/parameterGroup:ParameterGroup",
        lambda w: {
            "family": "postgres16",
            "parameters": [
                {"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"}
            ],
        },
        lambda aws, it: [
            (one["ParameterName"], one["ParameterValue"])
            for one in aws("rds").describe_db_parameters(DBParameterGroupName=it.id)["Parameters"]
            if one.get("ParameterValue")
        ],
        [("rds.force_ssl", "1")],
        update={
            "parameters": [{"name": "rds.force_ssl", "value": "0", "applyMethod": "pending-reboot"}]
        },
        updated=[("rds.force_ssl", "0")],
        replace={"family": "postgres17"},
        drift=lambda aws, it: aws("rds").modify_db_parameter_group(
            DBParameterGroupName=it.id,
            Parameters=[
                {
                    "ParameterName": "rds.force_ssl",
                    "ParameterValue": "0",
                    "ApplyMethod": "pending-reboot",
                }
            ],
        ),
        drifted="parameters",
    ),
    Case(
        "aws:rds/instance:Instance",
        lambda w: {
            "identifier": "trading-a",
            "engine": "postgres",
            "engineVersion": "16.4",
            "instanceClass": "db.m7g.large",
            "allocatedStorage": 100,
            "storageType": "gp3",
            "storageEncrypted": True,
            "kmsKeyId": w.key["arn"],
            "multiAz": True,
            "username": "trading",
            "password": "not-a-secret-of-anybody",
            "dbName": "trading",
            "dbSubnetGroupName": w.db_subnets.id,
            "vpcSecurityGroupIds": [w.group.id],
            "backupRetentionPeriod": 7,
            "deletionProtection": False,
            "skipFinalSnapshot": True,
        },
        lambda aws, it: [
            first(aws("rds").describe_db_instances(DBInstanceIdentifier=it.id)["DBInstances"])[name]
            for name in ("StorageEncrypted", "MultiAZ", "BackupRetentionPeriod", "DBInstanceClass")
        ],
        [True, True, 7, "db.m7g.large"],
        update={"instanceClass": "db.m7g.xlarge", "backupRetentionPeriod": 14},
        updated=[True, True, 14, "db.m7g.xlarge"],
        replace={"identifier": "another"},
        drift=lambda aws, it: aws("rds").modify_db_instance(
            DBInstanceIdentifier=it.id, MultiAZ=False, ApplyImmediately=True
        ),
        drifted="multiAz",
    ),
)
