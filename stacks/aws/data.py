"""Data: buckets and their copies, secrets, and a managed database where one is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.aws import policies
from stacks.aws.component import Component, Keys, Providers
from stacks.aws.database import declare_database
from stacks.aws.design import Design
from stacks.aws.naming import PATH
from stacks.aws.network import SiteIds
from stacks.aws.parts import Bucket

COOL_AFTER_DAYS = 30
"""Objects that nobody reads are moved to the class for what is rarely read; its least is 30."""
FORMER_DAYS = 90
"""Days for which a version that was replaced is kept, beyond its lock."""


@dataclass(frozen=True)
class DataArgs:
    """What holds data is made of."""

    design: Design
    regions: Providers
    keys: Keys
    sites: Mapping[str, SiteIds]


class Data(Component):
    """What an environment keeps beyond its hosts."""

    TYPE = "trading:aws:Data"
    buckets: dict[str, pulumi.Output[str]]
    """Names, by use; a copy's is `data-copy`."""
    secrets: dict[str, pulumi.Output[str]]
    """ARNs, by use. Their values are put there by operators, and are in no state."""
    database: aws.rds.Instance | None
    """The managed database that is written to; None: there is none."""

    def __init__(
        self, name: str, args: DataArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare buckets, secrets and database."""
        super().__init__(name, args.design, args.regions, opts)
        self._keys = args.keys
        self.buckets = {}
        for bucket in args.design.buckets:
            self._with_copy(bucket)
        self.secrets = {use: self._secret(use) for use in args.design.secrets}
        self.database = None
        if args.design.database is not None:
            self.database = declare_database(
                self, args.design, args.design.database, args.keys, args.sites
            )
        self.register_outputs({"buckets": self.buckets, "secrets": self.secrets})

    def _with_copy(self, bucket: Bucket) -> None:
        source = self._bucket(bucket.use, bucket.name, bucket.region, bucket.lock_days)
        if bucket.replica:
            use = f"{bucket.use}-copy"
            copy = self._bucket(use, bucket.replica, bucket.replica_region, bucket.lock_days)
            self._replication(bucket, source, copy)

    def _bucket(self, use: str, name: str, region: str, lock_days: int) -> aws.s3.BucketVersioning:
        """Declare a bucket; return its versioning, which a copy waits for."""
        bucket = aws.s3.Bucket(
            use,
            bucket=name,
            object_lock_enabled=lock_days > 0,
            force_destroy=self._design.ephemeral,
            tags=self._tags(use),
            opts=self.under(use, region, stateful=True),
        )
        self.buckets[use] = bucket.bucket
        versioning = aws.s3.BucketVersioning(
            f"{use}-versions",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=self.under(f"{use}-versions", region),
        )
        key = self._keys.get(region)
        encryption: aws.s3.BucketServerSideEncryptionConfigurationRuleArgsDict = {
            "apply_server_side_encryption_by_default": {
                "sse_algorithm": "AES256" if key is None else "aws:kms",
                "kms_master_key_id": key,
            },
            "bucket_key_enabled": key is not None,
        }
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{use}-encryption",
            bucket=bucket.bucket,
            rules=[encryption],
            opts=self.under(f"{use}-encryption", region),
        )
        closed = aws.s3.BucketPublicAccessBlock(
            f"{use}-closed",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.under(f"{use}-closed", region),
        )
        aws.s3.BucketPolicy(
            f"{use}-policy",
            bucket=bucket.bucket,
            policy=policies.tls_only(name),
            # S3 refuses two changes of a bucket's openness at once.
            opts=self.under(f"{use}-policy", region, depends_on=[closed]),
        )
        self._ages(use, bucket, region, lock_days, versioning)
        if lock_days:
            aws.s3.BucketObjectLockConfiguration(
                f"{use}-lock",
                bucket=bucket.bucket,
                rule={"default_retention": {"mode": "GOVERNANCE", "days": lock_days}},
                opts=self.under(f"{use}-lock", region, depends_on=[versioning]),
            )
        return versioning

    def _ages(
        self,
        use: str,
        bucket: aws.s3.Bucket,
        region: str,
        lock_days: int,
        versioning: aws.s3.BucketVersioning,
    ) -> None:
        former = lock_days + FORMER_DAYS
        aws.s3.BucketLifecycleConfiguration(
            f"{use}-ages",
            bucket=bucket.bucket,
            rules=[
                {
                    "id": "cool",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "transitions": [{"days": COOL_AFTER_DAYS, "storage_class": "STANDARD_IA"}],
                    "noncurrent_version_expiration": {"noncurrent_days": former},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
                }
            ],
            opts=self.under(f"{use}-ages", region, depends_on=[versioning]),
        )

    def _replication(
        self, bucket: Bucket, source: aws.s3.BucketVersioning, copy: aws.s3.BucketVersioning
    ) -> None:
        design, name = self._design, f"{bucket.use}-copying"
        role = aws.iam.Role(
            f"{name}-role",
            name=f"{design.slug}-{name}",
            path=PATH,
            assume_role_policy=policies.trust("s3", design.account),
            tags=self._tags(f"{name}-role"),
            opts=self.under(f"{name}-role", bucket.region),
        )
        aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=policies.replication(
                design.account,
                design.slug,
                bucket.name,
                bucket.replica,
                tuple(design.keys.values()),
            ),
            opts=self.under(f"{name}-policy", bucket.region),
        )
        aws.s3.BucketReplicationConfig(
            name,
            bucket=source.bucket,
            role=role.arn,
            rules=[
                {
                    "id": "all",
                    "status": "Enabled",
                    "priority": 0,
                    "filter": {"prefix": ""},
                    "delete_marker_replication": {"status": "Enabled"},
                    "source_selection_criteria": {
                        "sse_kms_encrypted_objects": {"status": "Enabled"}
                    },
                    "destination": {
                        "bucket": f"arn:aws:s3:::{bucket.replica}",
                        "storage_class": "STANDARD_IA",
                        "encryption_configuration": {
                            "replica_kms_key_id": self._keys[bucket.replica_region]
                        },
                    },
                }
            ],
            opts=self.under(name, bucket.region, depends_on=[source, copy]),
        )

    def _secret(self, use: str) -> pulumi.Output[str]:
        design, region = self._design, self._design.home.place.region
        return aws.secretsmanager.Secret(
            f"secret-{use}",
            name=f"{design.slug}/{use}",
            description=f"{use} of environment {design.environment}",
            kms_key_id=self._keys.get(region),
            recovery_window_in_days=30 if design.protected else 0,
            tags=self._tags(f"secret-{use}"),
            opts=self.under(f"secret-{use}", region, stateful=True),
        ).arn
