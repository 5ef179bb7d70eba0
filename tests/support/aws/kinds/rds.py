"""Managed databases: instances, and the groups that they need."""

from __future__ import annotations

import json
import re
import secrets

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Beside, Gone, refusal
from tests.support.aws.kind import Kind, call, changed, exists, only, serves, tag_list, tag_map
from tests.support.aws.wire import Properties

IDENTIFIER = r"[a-z](?!.*--)[a-z0-9-]{0,61}[a-z0-9]|[a-z]"


class _Rds(Kind):
    """A type of RDS: tags are set by ARN."""

    def name_arn(self, id_: str) -> str:
        """Return the ARN of what has that id."""
        raise NotImplementedError

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of what has that ARN."""
        return tag_map(self.cloud("rds").list_tags_for_resource(ResourceName=arn)["TagList"])

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        rds, arn = self.cloud("rds"), self.name_arn(id_)
        if gone:
            rds.remove_tags_from_resource(ResourceName=arn, TagKeys=gone)
        if tags:
            rds.add_tags_to_resource(ResourceName=arn, Tags=tag_list(tags))


@serves("aws:rds/subnetGroup:SubnetGroup")
class SubnetGroup(_Rds):
    """Where a database may be."""

    served = ("name", "description", "subnetIds")
    replaces = ("name",)
    named = "name"
    defaults = {"description": "Managed by Pulumi"}
    refers = {"subnetIds": "subnet"}

    def check(self, inputs: Properties) -> Failures:
        """Its name."""
        yield from checks.matches(
            *("name", inputs.get("name", "x"), r"(?!default$)[ .a-z0-9_-]{1,255}"),
            "only lowercase alphanumeric characters, hyphens, underscores, periods, and spaces",
        )

    def name_arn(self, id_: str) -> str:
        return self.cloud.arn("rds", f"subgrp:{id_}")

    def create(self, inputs: Properties) -> str:
        found = self.cloud("ec2").describe_subnets(SubnetIds=inputs["subnetIds"])["Subnets"]
        if len({one["AvailabilityZone"] for one in found}) < 2:
            raise refusal(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
                "Add subnets to cover at least 2 AZs.",
                "CreateDBSubnetGroup",
            )
        self.cloud("rds").create_db_subnet_group(**self._arguments(inputs))
        return str(inputs["name"])

    def _arguments(self, inputs: Properties) -> Properties:
        return call(
            *(inputs, "subnetIds"),
            name="DBSubnetGroupName",
            description="DBSubnetGroupDescription",
        )

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if old and list(changed(old, new, "description", "subnetIds")):
            rds = self.cloud("rds")
            rds.modify_db_subnet_group(**self._arguments(new))
            # moto 5.2 loses a group that it modifies; AWS does not.
            if not exists(lambda: rds.describe_db_subnet_groups(DBSubnetGroupName=id_)):
                rds.create_db_subnet_group(
                    **self._arguments(new), Tags=tag_list(old.get("tagsAll") or {})
                )

    def read(self, id_: str) -> Properties:
        found = self.cloud("rds").describe_db_subnet_groups(DBSubnetGroupName=id_)
        group = only(found["DBSubnetGroups"], id_)
        return {
            "arn": self.name_arn(id_),
            "name": id_,
            "description": group["DBSubnetGroupDescription"],
            "vpcId": group["VpcId"],
            "subnetIds": [one["SubnetIdentifier"] for one in group["Subnets"]],
            "tagsAll": self.tags(self.name_arn(id_)),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("rds").delete_db_subnet_group(DBSubnetGroupName=id_)


@serves("aws:rds/parameterGroup:ParameterGroup")
class ParameterGroup(_Rds):
    """How a database is configured."""

    served = ("name", "family", "description", "parameters")
    replaces = ("name", "family", "description")
    named = "name"
    guides = ("skipDestroy",)
    defaults = {"description": "Managed by Pulumi"}

    def check(self, inputs: Properties) -> Failures:
        """Its name, and when its parameters are applied."""
        pattern = r"[a-z](?!.*--)[a-z0-9.-]{0,253}[a-z0-9]"
        yield from checks.matches(
            "name", inputs.get("name", "xx"), pattern, "lowercase letters, digits and hyphens"
        )
        for at, one in enumerate(inputs.get("parameters") or []):
            method = one.get("applyMethod")
            path = f"parameters[{at}].applyMethod"
            yield from checks.one_of(path, method, "immediate", "pending-reboot")

    def name_arn(self, id_: str) -> str:
        return self.cloud.arn("rds", f"pg:{id_}")

    def create(self, inputs: Properties) -> str:
        self.cloud("rds").create_db_parameter_group(
            **call(
                *(inputs, "description"),
                name="DBParameterGroupName",
                family="DBParameterGroupFamily",
            )
        )
        return str(inputs["name"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        rds = self.cloud("rds")
        had = {one["name"]: one for one in old.get("parameters") or []}
        has = {one["name"]: one for one in new.get("parameters") or []}
        if gone := sorted(had.keys() - has.keys()):
            rds.reset_db_parameter_group(
                DBParameterGroupName=id_,
                Parameters=[
                    {"ParameterName": name, "ApplyMethod": "pending-reboot"} for name in gone
                ],
            )
        if changed_ones := [one for name, one in has.items() if had.get(name) != one]:
            rds.modify_db_parameter_group(
                DBParameterGroupName=id_,
                Parameters=[
                    {
                        "ParameterName": one["name"],
                        "ParameterValue": one["value"],
                        "ApplyMethod": one.get("applyMethod", "immediate"),
                    }
                    for one in changed_ones
                ],
            )

    def read(self, id_: str) -> Properties:
        rds = self.cloud("rds")
        found = rds.describe_db_parameter_groups(DBParameterGroupName=id_)
        group = only(found["DBParameterGroups"], id_)
        set_ = rds.describe_db_parameters(DBParameterGroupName=id_)["Parameters"]
        return {
            "arn": self.name_arn(id_),
            "name": id_,
            "family": group["DBParameterGroupFamily"],
            "description": group["Description"],
            "parameters": [
                {
                    "name": one["ParameterName"],
                    "value": one["ParameterValue"],
                    "applyMethod": one.get("ApplyMethod"),
                }
                for one in set_
                if one.get("ParameterValue")
            ],
            "tagsAll": self.tags(self.name_arn(id_)),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("rds").delete_db_parameter_group(DBParameterGroupName=id_)


@serves("aws:rds/instance:Instance")
class Instance(_Rds):
    """A database, or the replica of one (`replicateSourceDb`)."""

    plain = {
        "identifier": "DBInstanceIdentifier",
        "instanceClass": "DBInstanceClass",
        "engine": "Engine",
        "engineVersion": "EngineVersion",
        "allocatedStorage": "AllocatedStorage",
        "storageType": "StorageType",
        "storageEncrypted": "StorageEncrypted",
        "kmsKeyId": "KmsKeyId",
        "iops": "Iops",
        "multiAz": "MultiAZ",
        "port": "Port",
        "username": "MasterUsername",
        "dbName": "DBName",
        "publiclyAccessible": "PubliclyAccessible",
        "backupRetentionPeriod": "BackupRetentionPeriod",
        "backupWindow": "PreferredBackupWindow",
        "maintenanceWindow": "PreferredMaintenanceWindow",
        "deletionProtection": "DeletionProtection",
        "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
        "copyTagsToSnapshot": "CopyTagsToSnapshot",
        "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
        "availabilityZone": "AvailabilityZone",
        "caCertIdentifier": "CACertificateIdentifier",
        "maxAllocatedStorage": "MaxAllocatedStorage",
        "performanceInsightsEnabled": "EnablePerformanceInsights",
        "monitoringInterval": "MonitoringInterval",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    }
    described = {
        **plain,
        "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
        "performanceInsightsEnabled": "PerformanceInsightsEnabled",
        "enabledCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    }
    served = (
        *(*plain, "dbSubnetGroupName", "parameterGroupName", "vpcSecurityGroupIds"),
        *("replicateSourceDb", "manageMasterUserPassword", "masterUserSecretKmsKeyId"),
    )
    replaces = (
        *("identifier", "engine", "storageEncrypted", "kmsKeyId", "username", "dbName"),
        *("availabilityZone", "dbSubnetGroupName"),
    )
    named = "identifier"
    guides = (
        *("password", "skipFinalSnapshot", "finalSnapshotIdentifier", "applyImmediately"),
        *("deleteAutomatedBackups", "allowMajorVersionUpgrade"),
    )
    beside = (
        *("manageMasterUserPassword", "masterUserSecretKmsKeyId", "maxAllocatedStorage"),
        "caCertIdentifier",
        *("monitoringInterval", "performanceInsightsEnabled"),
    )
    defaults = {
        "skipFinalSnapshot": False,
        "deleteAutomatedBackups": True,
        "publiclyAccessible": False,
        "autoMinorVersionUpgrade": True,
        "copyTagsToSnapshot": False,
    }
    chosen = (
        *(sorted(plain.keys() - defaults.keys() - {"identifier", "instanceClass"})),
        *("dbSubnetGroupName", "parameterGroupName", "vpcSecurityGroupIds"),
        *("replicateSourceDb", "licenseModel", "optionGroupName", "masterUserSecrets"),
        "masterUserSecretKmsKeyId",
    )
    refers = {
        "dbSubnetGroupName": "db subnet group",
        "vpcSecurityGroupIds": "security group",
        "kmsKeyId": "key",
    }

    def check(self, inputs: Properties) -> Failures:
        """Names, sizes and periods; who the administrator is; what is left at the end."""
        yield from checks.matches(
            *("identifier", inputs.get("identifier", "x"), IDENTIFIER),
            "only lowercase alphanumeric characters and hyphens, beginning with a letter",
        )
        yield from checks.matches(
            *("instanceClass", inputs.get("instanceClass", "db.t3.micro")),
            r"db\.[a-z0-9-]+\.[a-z0-9]+",
            "InvalidParameterValue: Invalid DB Instance class",
        )
        yield from checks.between(
            "backupRetentionPeriod", inputs.get("backupRetentionPeriod"), 0, 35
        )
        storage = inputs.get("allocatedStorage")
        yield from checks.between("allocatedStorage", storage, 20, 65536)
        if self.lacks(inputs, "replicateSourceDb"):
            for name in ("engine", "username", "allocatedStorage"):
                if self.lacks(inputs, name):
                    yield name, f"InvalidParameterValue: {name} is required of a database"
        if inputs.get("kmsKeyId") and not inputs.get("storageEncrypted"):
            yield "kmsKeyId", "InvalidParameterCombination: a key needs storageEncrypted"
        if not inputs["skipFinalSnapshot"] and self.lacks(inputs, "finalSnapshotIdentifier"):
            yield "finalSnapshotIdentifier", "required when skip_final_snapshot is false"
        for name in ("backupWindow", "maintenanceWindow"):
            value = inputs.get(name, "")
            day = r"(mon|tue|wed|thu|fri|sat|sun):" if name == "maintenanceWindow" else ""
            if value and not re.fullmatch(rf"{day}\d\d:\d\d-{day}\d\d:\d\d", value.lower()):
                yield name, f"{value!r} is no window of time"

    def name_arn(self, id_: str) -> str:
        return self.cloud.arn("rds", f"db:{id_}")

    def create(self, inputs: Properties) -> str:
        rds = self.cloud("rds")
        arguments = call(inputs, **self.plain) | call(
            *(inputs, "vpcSecurityGroupIds"),
            dbSubnetGroupName="DBSubnetGroupName",
            parameterGroupName="DBParameterGroupName",
        )
        for name in self.beside:
            arguments.pop(self.plain.get(name, ""), None)
        if source := inputs.get("replicateSourceDb"):
            gone = ("Engine", "EngineVersion", "MasterUsername", "DBName", "AllocatedStorage")
            for name in (*gone, "StorageEncrypted", "BackupRetentionPeriod"):
                arguments.pop(name, None)
            # AWS puts a replica into one zone unless told otherwise; moto copies its source.
            remote = {"MultiAZ": False}
            if source.startswith("arn:"):
                remote["SourceRegion"] = source.split(":")[3]
                # moto looks for the group in the source's region: it is kept beside.
                self._abroad.write(
                    inputs["identifier"], {"group": arguments.pop("DBSubnetGroupName", None)}
                )
            made = rds.create_db_instance_read_replica(
                SourceDBInstanceIdentifier=source, **{**remote, **arguments}
            )
        else:
            made = rds.create_db_instance(**arguments, **_master(inputs))
            self._keep_master(made["DBInstance"])
        return str(made["DBInstance"]["DBInstanceIdentifier"])

    def _keep_master(self, made: Properties) -> None:
        """Have the secret say who the master is, as AWS's does: moto's names another."""
        if secret := made.get("MasterUserSecret"):
            said = {"username": made["MasterUsername"], "password": secrets.token_urlsafe(20)}
            self.cloud("secretsmanager").put_secret_value(
                SecretId=secret["SecretArn"], SecretString=json.dumps(said)
            )

    @property
    def _abroad(self) -> Beside:
        """The subnet groups of replicas of another region's database."""
        return Beside(self.cloud, f"{self.token}Abroad")

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if not old:
            return
        names = set(changed(old, new, *self.served)) - {*self.replaces, *self.beside}
        if "replicateSourceDb" in names and not new.get("replicateSourceDb"):
            self.cloud("rds").promote_read_replica(DBInstanceIdentifier=id_)
        arguments = {
            self.plain[name]: new[name] for name in names if name in new and name in self.plain
        }
        if "vpcSecurityGroupIds" in names:
            arguments["VpcSecurityGroupIds"] = new["vpcSecurityGroupIds"]
        if "parameterGroupName" in names:
            arguments["DBParameterGroupName"] = new["parameterGroupName"]
        if old.get("password") != new.get("password"):
            arguments["MasterUserPassword"] = new["password"]
        if arguments:
            self.cloud("rds").modify_db_instance(
                DBInstanceIdentifier=id_, ApplyImmediately=True, **arguments
            )

    def read(self, id_: str) -> Properties:
        found = self.cloud("rds").describe_db_instances(DBInstanceIdentifier=id_)
        database = only(found["DBInstances"], id_)
        if database["DBInstanceStatus"] == "deleting":
            raise Gone(id_)
        at = database.get("Endpoint") or {}
        groups = database.get("DBParameterGroups") or [{}]
        group = (database.get("DBSubnetGroup") or {}).get("DBSubnetGroupName")
        if str(database.get("ReadReplicaSourceDBInstanceIdentifier")).startswith("arn:"):
            group = (self._abroad.read(id_) or {}).get("group", group)
        return {
            **{
                ours: database[theirs]
                for ours, theirs in self.described.items()
                if database.get(theirs) is not None and ours not in self.beside
            },
            "arn": database["DBInstanceArn"],
            "address": at.get("Address"),
            "endpoint": f"{at.get('Address')}:{at.get('Port')}",
            "port": at.get("Port"),
            "status": database["DBInstanceStatus"],
            "resourceId": database.get("DbiResourceId"),
            "masterUserSecrets": [
                {
                    "secretArn": kept["SecretArn"],
                    "secretStatus": kept["SecretStatus"],
                    "kmsKeyId": kept.get("KmsKeyId"),
                }
                for kept in [database.get("MasterUserSecret")]
                if kept
            ],
            "dbSubnetGroupName": group,
            "parameterGroupName": groups[0].get("DBParameterGroupName"),
            "vpcSecurityGroupIds": [
                one["VpcSecurityGroupId"] for one in database.get("VpcSecurityGroups") or []
            ],
            "replicateSourceDb": database.get("ReadReplicaSourceDBInstanceIdentifier"),
            "replicas": database.get("ReadReplicaDBInstanceIdentifiers"),
            "tagsAll": self.tags(database["DBInstanceArn"]),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        if self.read(id_).get("deletionProtection"):
            raise refusal(
                "InvalidParameterCombination",
                "Cannot delete protected DB Instance, please disable deletion protection and "
                "try again.",
                "DeleteDBInstance",
            )
        last = (
            {"SkipFinalSnapshot": True}
            if inputs.get("skipFinalSnapshot") or inputs.get("replicateSourceDb")
            else {"FinalDBSnapshotIdentifier": inputs["finalSnapshotIdentifier"]}
        )
        if str(inputs.get("replicateSourceDb")).startswith("arn:"):
            # moto fails where it strikes a replica off the list of another region's database.
            self.cloud("rds").promote_read_replica(DBInstanceIdentifier=id_)
        self.cloud("rds").delete_db_instance(DBInstanceIdentifier=id_, **last)
        self._abroad.delete(id_)


def _master(inputs: Properties) -> Properties:
    """Return how a database's master is made: with a secret of AWS's, or a password."""
    if not inputs.get("manageMasterUserPassword"):
        return {"MasterUserPassword": inputs["password"]}
    return {
        "ManageMasterUserPassword": True,
        **call(inputs, masterUserSecretKmsKeyId="MasterUserSecretKmsKeyId"),
    }
