"""Buckets of S3 and what is set on them, each as a resource of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Beside, Gone, refusal
from tests.support.aws.kind import (
    Kind,
    call,
    deep_lower,
    deep_upper,
    optional,
    serves,
    tag_list,
    tag_map,
)
from tests.support.aws.wire import Properties

NAME = r"(?!xn--|sthree-)[a-z0-9](?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9.-]{1,61}[a-z0-9]"
"""General purpose bucket naming rules."""


@serves("aws:s3/bucket:Bucket")
class Bucket(Kind):
    """A bucket; its settings are resources of their own."""

    served = ("bucket", "objectLockEnabled")
    replaces = served
    named = "bucket"
    guides = ("forceDestroy",)
    defaults = {"forceDestroy": False}
    chosen = (
        *("acl", "accelerationStatus", "corsRules", "grants", "lifecycleRules", "logging"),
        *("objectLockConfiguration", "objectLockEnabled", "policy", "replicationConfiguration"),
        *("requestPayer", "serverSideEncryptionConfiguration", "versioning", "website"),
    )

    def check(self, inputs: Properties) -> Failures:
        """Its name."""
        yield from checks.matches(
            *("bucket", inputs.get("bucket", "abc"), NAME),
            "InvalidBucketName: 3 to 63 lower case letters, digits, dots and hyphens",
        )

    def create(self, inputs: Properties) -> str:
        region = self.cloud.region
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        self.cloud("s3").create_bucket(
            Bucket=inputs["bucket"],
            **({"CreateBucketConfiguration": place} if place else {}),
            **call(inputs, objectLockEnabled="ObjectLockEnabledForBucket"),
        )
        return str(inputs["bucket"])

    def read(self, id_: str) -> Properties:
        s3 = self.cloud("s3")
        s3.head_bucket(Bucket=id_)
        tags = optional(lambda: s3.get_bucket_tagging(Bucket=id_)) or {}
        lock = optional(lambda: s3.get_object_lock_configuration(Bucket=id_))
        return {
            "arn": f"arn:aws:s3:::{id_}",
            "bucket": id_,
            "objectLockEnabled": lock is not None,
            "bucketRegion": self.cloud.region,
            "bucketDomainName": f"{id_}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{id_}.s3.{self.cloud.region}.amazonaws.com",
            "tagsAll": tag_map(tags.get("TagSet")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        s3 = self.cloud("s3")
        if inputs.get("forceDestroy"):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=id_):
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    s3.delete_object(Bucket=id_, Key=one["Key"], VersionId=one["VersionId"])
        s3.delete_bucket(Bucket=id_)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        if tags:
            self.cloud("s3").put_bucket_tagging(Bucket=id_, Tagging={"TagSet": tag_list(tags)})
        else:
            self.cloud("s3").delete_bucket_tagging(Bucket=id_)


class _OfBucket(Kind):
    """Something that is set on a bucket; its id is the bucket's."""

    setting: ClassVar[str]
    """What boto3's methods call it: get_bucket_SETTING and so on."""
    argument: ClassVar[str]
    """The argument that has it."""
    replaces = ("bucket",)
    replaced_first = True
    refers = {"bucket": "bucket"}

    def create(self, inputs: Properties) -> str:
        return str(inputs["bucket"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        self.method("put")(Bucket=id_, **{self.argument: self.to_aws(new)})

    def read(self, id_: str) -> Properties:
        found = self.method("get")(Bucket=id_)
        return {"bucket": id_, **self.from_aws(found.get(self.argument))}

    def delete(self, id_: str, inputs: Properties) -> None:
        self.method("delete")(Bucket=id_)

    def method(self, verb: str) -> Any:
        """Return the method of boto3 for it."""
        return getattr(self.cloud("s3"), f"{verb}_bucket_{self.setting}")

    def to_aws(self, inputs: Properties) -> Any:
        """Return the argument that sets it."""
        raise NotImplementedError

    def from_aws(self, found: Any) -> Properties:
        """Return the inputs that what was found is of."""
        raise NotImplementedError


@serves("aws:s3/bucketVersioning:BucketVersioning")
class BucketVersioning(_OfBucket):
    """Whether a bucket keeps what was overwritten; it can only be suspended."""

    setting, argument = "versioning", "VersioningConfiguration"
    served = ("bucket", "versioningConfiguration")

    def check(self, inputs: Properties) -> Failures:
        """The states that S3 has."""
        status = (inputs.get("versioningConfiguration") or {}).get("status")
        yield from checks.one_of(
            "versioningConfiguration.status", status, "Enabled", "Suspended", "Disabled"
        )

    def to_aws(self, inputs: Properties) -> Any:
        return deep_upper(inputs["versioningConfiguration"])

    def read(self, id_: str) -> Properties:
        found = self.method("get")(Bucket=id_)
        if "Status" not in found:
            raise Gone(id_)
        return {"bucket": id_, "versioningConfiguration": {"status": found["Status"]}}

    def delete(self, id_: str, inputs: Properties) -> None:
        self.method("put")(Bucket=id_, VersioningConfiguration={"Status": "Suspended"})


@serves("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
class BucketServerSideEncryptionConfiguration(_OfBucket):
    """How a bucket encrypts what is put into it."""

    setting, argument = "encryption", "ServerSideEncryptionConfiguration"
    served = ("bucket", "rules")

    def check(self, inputs: Properties) -> Failures:
        """The algorithms; only that of KMS has a key."""
        for at, rule in enumerate(inputs.get("rules") or []):
            by = rule.get("applyServerSideEncryptionByDefault") or {}
            path = f"rules[{at}].applyServerSideEncryptionByDefault"
            known = ("AES256", "aws:kms", "aws:kms:dsse")
            yield from checks.one_of(f"{path}.sseAlgorithm", by.get("sseAlgorithm"), *known)
            if by.get("kmsMasterKeyId") and by.get("sseAlgorithm") == "AES256":
                yield f"{path}.kmsMasterKeyId", "InvalidArgument: a KMS key needs aws:kms"

    def to_aws(self, inputs: Properties) -> Any:
        return {"Rules": [_encryption(one) for one in inputs["rules"]]}

    def from_aws(self, found: Any) -> Properties:
        rules = deep_lower(found["Rules"])
        for rule in rules:
            by = rule.get("applyServerSideEncryptionByDefault", {})
            if "sSEAlgorithm" in by:
                by["sseAlgorithm"] = by.pop("sSEAlgorithm")
            if "kMSMasterKeyID" in by:
                by["kmsMasterKeyId"] = by.pop("kMSMasterKeyID")
        return {"rules": rules}


def _encryption(rule: Properties) -> dict[str, Any]:
    by = rule.get("applyServerSideEncryptionByDefault")
    default = call(by or {}, sseAlgorithm="SSEAlgorithm", kmsMasterKeyId="KMSMasterKeyID")
    return {
        **({"ApplyServerSideEncryptionByDefault": default} if default else {}),
        **call(rule, "bucketKeyEnabled"),
    }


@serves("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
class BucketPublicAccessBlock(_OfBucket):
    """Whether a bucket can be public at all."""

    four = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    served = ("bucket", *four)
    guides = ("skipDestroy",)
    defaults = dict.fromkeys(four, False)

    def method(self, verb: str) -> Any:
        return getattr(self.cloud("s3"), f"{verb}_public_access_block")

    argument = "PublicAccessBlockConfiguration"

    def to_aws(self, inputs: Properties) -> Any:
        return call(inputs, *self.four)

    def from_aws(self, found: Any) -> Properties:
        return dict(deep_lower(found))


@serves("aws:s3/bucketPolicy:BucketPolicy")
class BucketPolicy(_OfBucket):
    """Who may do what with a bucket."""

    setting, argument = "policy", "Policy"
    served = ("bucket", "policy")

    def check(self, inputs: Properties) -> Failures:
        """Its document names principals."""
        yield from checks.policy("policy", inputs.get("policy"), True)

    def to_aws(self, inputs: Properties) -> Any:
        return inputs["policy"]

    def from_aws(self, found: Any) -> Properties:
        return {"policy": found}


@serves("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
class BucketObjectLockConfiguration(_OfBucket):
    """How long nothing in a bucket can be deleted by anybody."""

    argument = "ObjectLockConfiguration"
    served = ("bucket", "rule", "objectLockEnabled")
    defaults = {"objectLockEnabled": "Enabled"}

    def check(self, inputs: Properties) -> Failures:
        """A period in days or in years, and a mode."""
        kept = ((inputs.get("rule") or {}).get("defaultRetention")) or {}
        path = "rule.defaultRetention"
        yield from checks.one_of(f"{path}.mode", kept.get("mode"), "GOVERNANCE", "COMPLIANCE")
        if kept and len({"days", "years"} & kept.keys()) != 1:
            yield f"{path}.days", "MalformedXML: one of days and years must be specified"

    def method(self, verb: str) -> Any:
        return getattr(self.cloud("s3"), f"{verb}_object_lock_configuration")

    def to_aws(self, inputs: Properties) -> Any:
        return {
            "ObjectLockEnabled": inputs["objectLockEnabled"],
            **({"Rule": deep_upper(inputs["rule"])} if inputs.get("rule") else {}),
        }

    def from_aws(self, found: Any) -> Properties:
        rule = deep_lower(found.get("Rule") or {})
        if kept := rule.get("defaultRetention"):  # moto gives zero for what was not given
            rule["defaultRetention"] = {name: one for name, one in kept.items() if one}
        return {"objectLockEnabled": found["ObjectLockEnabled"], "rule": rule or None}

    def delete(self, id_: str, inputs: Properties) -> None:
        """Take the period away; the lock itself stays as long as the bucket."""
        self.method("put")(Bucket=id_, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


@serves("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
class BucketLifecycleConfiguration(_OfBucket):
    """When what is in a bucket moves to a cheaper class, or ends."""

    setting, argument = "lifecycle_configuration", "LifecycleConfiguration"
    served = ("bucket", "rules")
    chosen = ("transitionDefaultMinimumObjectSize",)

    def check(self, inputs: Properties) -> Failures:
        """Rules have distinct ids, a state, and do something."""
        ids = [rule.get("id") for rule in inputs.get("rules") or []]
        for at, rule in enumerate(inputs.get("rules") or []):
            path = f"rules[{at}]"
            yield from checks.one_of(f"{path}.status", rule.get("status"), "Enabled", "Disabled")
            if ids.count(rule.get("id")) > 1:
                yield f"{path}.id", f"InvalidArgument: Rule ID must be unique: {rule.get('id')}"
            if not rule.keys() - {"id", "status", "filter", "prefix"}:
                yield path, "InvalidRequest: At least one action needs to be specified in a rule"

    def method(self, verb: str) -> Any:
        name = "lifecycle" if verb == "delete" else self.setting
        return getattr(self.cloud("s3"), f"{verb}_bucket_{name}")

    def to_aws(self, inputs: Properties) -> Any:
        return {"Rules": [_rule_to_aws(one) for one in inputs["rules"]]}

    def read(self, id_: str) -> Properties:
        found = self.method("get")(Bucket=id_)
        return {"bucket": id_, "rules": [_rule_from_aws(one) for one in found["Rules"]]}


def _rule_to_aws(rule: Properties) -> dict[str, Any]:
    found: dict[str, Any] = deep_upper({name: one for name, one in rule.items() if name != "id"})
    found["ID"] = rule["id"]
    found.setdefault("Filter", {"Prefix": ""})
    return found


def _rule_from_aws(rule: dict[str, Any]) -> Properties:
    found: Properties = deep_lower(rule)
    found["id"] = found.pop("iD")
    return found


@serves("aws:s3/bucketReplicationConfig:BucketReplicationConfig")
class BucketReplicationConfig(_OfBucket):
    """Where what is put into a bucket is copied to (moto records it and copies nothing)."""

    setting, argument = "replication", "ReplicationConfiguration"
    served = ("bucket", "role", "rules")
    refers = {"bucket": "bucket", "role": "role"}

    def check(self, inputs: Properties) -> Failures:
        """The role and the destination are named by their ARNs."""
        if "role" in inputs:
            yield from checks.matches("role", inputs["role"], checks.ARN, "no ARN")
        for at, rule in enumerate(inputs.get("rules") or []):
            path = f"rules[{at}]"
            yield from checks.one_of(f"{path}.status", rule.get("status"), "Enabled", "Disabled")
            bucket = rule["destination"]["bucket"]
            pattern = r"arn:aws[\w-]*:s3:::\S+"
            yield from checks.matches(f"{path}.destination.bucket", bucket, pattern, "no ARN")

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        self._versioned(id_)
        for rule in new["rules"]:
            self._versioned(rule["destination"]["bucket"].rpartition(":")[2])
        super().configure(id_, old, new)
        self._whole.write(id_, {one["ID"]: one for one in self.to_aws(new)["Rules"]})

    def _versioned(self, bucket: str) -> None:
        """Refuse a bucket without versions, as S3 does and moto does of the source only."""
        found = self.cloud("s3").get_bucket_versioning(Bucket=bucket)
        if found.get("Status") != "Enabled":
            raise refusal(
                "InvalidRequest",
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
                "PutBucketReplication",
            )

    @property
    def _whole(self) -> Beside:
        """The rules with their filters and criteria, of which moto makes others."""
        return Beside(self.cloud, f"{self.token}Rules")

    def to_aws(self, inputs: Properties) -> Any:
        rules = [
            {"ID": f"rule-{at}", "Priority": at, **_copy_to_aws(one)}
            for at, one in enumerate(inputs["rules"])
        ]
        return {"Role": inputs["role"], "Rules": rules}

    def read(self, id_: str) -> Properties:
        found = self.method("get")(Bucket=id_)["ReplicationConfiguration"]
        whole = self._whole.read(id_) or {}
        kept = ("ID", "Priority", "Status", "Destination")
        rules = [
            {**whole.get(one["ID"], {}), **{name: one[name] for name in kept if name in one}}
            for one in found["Rules"]
        ]
        return {
            "bucket": id_,
            "role": found["Role"],
            "rules": [_copy_from_aws(one) for one in rules],
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self._whole.delete(id_)
        super().delete(id_, inputs)


def _copy_to_aws(rule: Properties) -> dict[str, Any]:
    found: dict[str, Any] = deep_upper({name: one for name, one in rule.items() if name != "id"})
    encryption = found["Destination"].get("EncryptionConfiguration")
    if encryption:
        found["Destination"]["EncryptionConfiguration"] = {
            "ReplicaKmsKeyID": encryption["ReplicaKmsKeyId"]
        }
    return {**found, **call(rule, id="ID")}


def _copy_from_aws(rule: dict[str, Any]) -> Properties:
    found: Properties = deep_lower(rule)
    if "iD" in found:
        found["id"] = found.pop("iD")
    encryption = found["destination"].get("encryptionConfiguration") or {}
    if "replicaKmsKeyID" in encryption:
        encryption["replicaKmsKeyId"] = encryption.pop("replicaKmsKeyID")
    return found
