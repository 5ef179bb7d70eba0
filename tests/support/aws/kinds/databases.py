"""Managed databases, and their replicas."""

from __future__ import annotations

import json
import re
import secrets

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Beside, Gone, refusal
from tests.support.aws.kind import call, changed, only, serves
from tests.support.aws.kinds.rds import Rds
from tests.support.aws.wire import Properties

IDENTIFIER = r"[a-z](?!.*--)[a-z0-9-]{0,61}[a-z0-9]|[a-z]"


@serves("aws:rds/instance:Instance")
class Instance(Rds):
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
