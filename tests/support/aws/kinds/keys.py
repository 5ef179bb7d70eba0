"""Keys and secrets: KMS and Secrets Manager."""

from __future__ import annotations

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Gone
from tests.support.aws.kind import Kind, call, changed, optional, serves, tag_list, tag_map
from tests.support.aws.wire import Properties


@serves("aws:kms/key:Key")
class Key(Kind):
    """A key; deleting it schedules its end."""

    served = (
        *("description", "enableKeyRotation", "isEnabled", "keyUsage", "multiRegion", "policy"),
        *("customerMasterKeySpec", "rotationPeriodInDays"),
    )
    replaces = ("keyUsage", "multiRegion", "customerMasterKeySpec")
    chosen = ("description", "policy", "multiRegion", "rotationPeriodInDays")
    guides = ("deletionWindowInDays", "bypassPolicyLockoutSafetyCheck")
    defaults = {
        "enableKeyRotation": False,
        "isEnabled": True,
        "keyUsage": "ENCRYPT_DECRYPT",
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "bypassPolicyLockoutSafetyCheck": False,
    }

    def check(self, inputs: Properties) -> Failures:
        """Its policy, and the periods that KMS allows."""
        yield from checks.policy("policy", inputs.get("policy"), True)
        window = inputs.get("deletionWindowInDays")
        yield from checks.between("deletionWindowInDays", window, 7, 30)
        period = inputs.get("rotationPeriodInDays")
        yield from checks.between("rotationPeriodInDays", period, 90, 2560)
        if period is not None and not inputs.get("enableKeyRotation"):
            yield "rotationPeriodInDays", "all of `enable_key_rotation,rotation_period_in_days`"
        yield from checks.one_of(
            "keyUsage", inputs.get("keyUsage"), "ENCRYPT_DECRYPT", "SIGN_VERIFY"
        )

    def create(self, inputs: Properties) -> str:
        made = self.cloud("kms").create_key(
            **call(
                *(inputs, "description", "keyUsage", "multiRegion", "policy"),
                customerMasterKeySpec="KeySpec",
            )
        )
        return str(made["KeyMetadata"]["KeyId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        kms = self.cloud("kms")
        for _ in changed(old or self.defaults, new, "isEnabled"):
            (kms.enable_key if new["isEnabled"] else kms.disable_key)(KeyId=id_)
        if list(changed(old or self.defaults, new, "enableKeyRotation", "rotationPeriodInDays")):
            if new["enableKeyRotation"]:
                kms.enable_key_rotation(
                    KeyId=id_, **call(new, rotationPeriodInDays="RotationPeriodInDays")
                )
            else:
                kms.disable_key_rotation(KeyId=id_)
        for _ in changed(old, new, "description") if old else ():
            kms.update_key_description(KeyId=id_, Description=new.get("description", ""))
        for name in changed(old, new, "policy") if old else ():
            if new.get(name):
                kms.put_key_policy(KeyId=id_, PolicyName="default", Policy=new[name])

    def read(self, id_: str) -> Properties:
        kms = self.cloud("kms")
        key = kms.describe_key(KeyId=id_)["KeyMetadata"]
        if key["KeyState"] == "PendingDeletion":
            raise Gone(id_)
        rotation = kms.get_key_rotation_status(KeyId=id_)
        return {
            "arn": key["Arn"],
            "keyId": id_,
            "description": key.get("Description") or None,
            "keyUsage": key["KeyUsage"],
            "customerMasterKeySpec": key.get("KeySpec") or key["CustomerMasterKeySpec"],
            "multiRegion": key.get("MultiRegion", False),
            "isEnabled": key["Enabled"],
            "enableKeyRotation": rotation["KeyRotationEnabled"],
            "rotationPeriodInDays": rotation.get("RotationPeriodInDays"),
            "policy": kms.get_key_policy(KeyId=id_, PolicyName="default")["Policy"],
            "tagsAll": {
                one["TagKey"]: one["TagValue"] for one in kms.list_resource_tags(KeyId=id_)["Tags"]
            },
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.read(id_)  # one whose end is scheduled already is gone
        self.cloud("kms").schedule_key_deletion(
            KeyId=id_, PendingWindowInDays=inputs.get("deletionWindowInDays") or 30
        )

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        if gone:
            self.cloud("kms").untag_resource(KeyId=id_, TagKeys=gone)
        if tags:
            listed = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
            self.cloud("kms").tag_resource(KeyId=id_, Tags=listed)


@serves("aws:kms/alias:Alias")
class Alias(Kind):
    """A name of a key."""

    served = ("name", "targetKeyId")
    replaces = ("name",)
    named = "name"
    refers = {"targetKeyId": "key"}

    def check(self, inputs: Properties) -> Failures:
        """Aliases begin so, and AWS keeps some for itself."""
        pattern = r"alias/(?!aws/)[a-zA-Z0-9/_-]+"
        reason = "must begin with 'alias/' and be comprised of only [a-zA-Z0-9/_-]"
        yield from checks.matches("name", inputs.get("name", "alias/x"), pattern, reason)

    def create(self, inputs: Properties) -> str:
        self.cloud("kms").create_alias(**call(inputs, "targetKeyId", name="AliasName"))
        return str(inputs["name"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        for name in changed(old, new, "targetKeyId") if old else ():
            self.cloud("kms").update_alias(AliasName=id_, TargetKeyId=new[name])

    def read(self, id_: str) -> Properties:
        for page in self.cloud("kms").get_paginator("list_aliases").paginate():
            for one in page["Aliases"]:
                if one["AliasName"] == id_:
                    key = one["TargetKeyId"]
                    arn = self.cloud.arn("kms", f"key/{key}")
                    return {
                        "arn": one["AliasArn"],
                        "name": id_,
                        "targetKeyId": key,
                        "targetKeyArn": arn,
                    }
        raise Gone(id_)

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("kms").delete_alias(AliasName=id_)


@serves("aws:secretsmanager/secret:Secret")
class Secret(Kind):
    """A secret without its value."""

    served = ("name", "description", "kmsKeyId", "replicas", "policy")
    replaces = ("name",)
    named = "name"
    chosen = ("policy", "replicas")
    guides = ("recoveryWindowInDays", "forceOverwriteReplicaSecret")
    defaults = {"recoveryWindowInDays": 30, "forceOverwriteReplicaSecret": False}
    refers = {"kmsKeyId": "key"}

    def check(self, inputs: Properties) -> Failures:
        """Its name, and how long it can be recovered."""
        yield from checks.matches(
            *("name", inputs.get("name", "x"), r"[A-Za-z0-9/_+=.@-]{1,512}"),
            "only alphanumeric characters and /_+=.@- are allowed",
        )
        window = inputs.get("recoveryWindowInDays")
        if window:
            yield from checks.between("recoveryWindowInDays", window, 7, 30)
        yield from checks.policy("policy", inputs.get("policy"), True)

    def create(self, inputs: Properties) -> str:
        copies = [call(one, "region", "kmsKeyId") for one in inputs.get("replicas") or []]
        made = self.cloud("secretsmanager").create_secret(
            **call(inputs, "name", "description", "kmsKeyId"),
            **({"AddReplicaRegions": copies} if copies else {}),
        )
        return str(made["ARN"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        secrets = self.cloud("secretsmanager")
        if old and list(changed(old, new, "description", "kmsKeyId")):
            secrets.update_secret(SecretId=id_, **call(new, "description", "kmsKeyId"))
        for name in changed(old, new, "policy"):
            if new.get(name):
                secrets.put_resource_policy(SecretId=id_, ResourcePolicy=new[name])
            else:
                secrets.delete_resource_policy(SecretId=id_)
        for name in changed(old, new, "replicas") if old else ():
            had = {one["region"] for one in old.get(name) or []}
            has = {one["region"] for one in new.get(name) or []}
            if had - has:
                secrets.remove_regions_from_replication(
                    SecretId=id_, RemoveReplicaRegions=sorted(had - has)
                )
            if has - had:
                secrets.replicate_secret_to_regions(
                    SecretId=id_, AddReplicaRegions=[{"Region": one} for one in sorted(has - had)]
                )

    def read(self, id_: str) -> Properties:
        secrets = self.cloud("secretsmanager")
        found = secrets.describe_secret(SecretId=id_)
        if found.get("DeletedDate"):
            raise Gone(id_)
        policy = optional(lambda: secrets.get_resource_policy(SecretId=id_)) or {}
        return {
            "arn": found["ARN"],
            "name": found["Name"],
            "description": found.get("Description") or None,
            "kmsKeyId": found.get("KmsKeyId"),
            "policy": policy.get("ResourcePolicy"),
            "replicas": [
                {"region": one["Region"], "kmsKeyId": one.get("KmsKeyId")}
                for one in found.get("ReplicationStatus") or []
            ],
            "tagsAll": tag_map(found.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.read(id_)
        secrets, days = self.cloud("secretsmanager"), inputs.get("recoveryWindowInDays", 30)
        if copies := self.read(id_)["replicas"]:
            secrets.remove_regions_from_replication(
                SecretId=id_, RemoveReplicaRegions=[one["region"] for one in copies]
            )
        how = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        secrets.delete_secret(SecretId=id_, **how)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        secrets = self.cloud("secretsmanager")
        if gone:
            secrets.untag_resource(SecretId=id_, TagKeys=gone)
        if tags:
            secrets.tag_resource(SecretId=id_, Tags=tag_list(tags))
