"""A managed PostgreSQL, and its copy in another region where one stands by there."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from stacks.aws.component import Component, Keys
from stacks.aws.design import Design
from stacks.aws.network import SiteIds
from stacks.aws.parts import DatabasePart
from stacks.aws.ports import DATABASE


def declare_database(
    component: Component,
    design: Design,
    database: DatabasePart,
    keys: Keys,
    sites: Mapping[str, SiteIds],
) -> aws.rds.Instance:
    """Declare a managed database under a component; return the one that is written to.

    Its password is made and kept by AWS, in Secrets Manager: it is in no state.
    """
    home = _Site(component, design, database, keys, sites, database.site)
    first = aws.rds.Instance(
        "database",
        identifier=database.name,
        engine="postgres",
        engine_version=database.version,
        instance_class=database.type,
        allocated_storage=database.storage_gb,
        storage_type="gp3",
        db_name="books",
        username="opsctl",
        manage_master_user_password=True,
        master_user_secret_kms_key_id=home.key,
        multi_az=database.multi_az,
        # With a standby AWS chooses both zones; alone, it is beside the host that uses it.
        availability_zone=None if database.multi_az else design.home.place.zone,
        db_subnet_group_name=home.subnets(),
        parameter_group_name=home.parameters(),
        vpc_security_group_ids=[sites[database.site].groups[f"{database.site}-{DATABASE}"]],
        publicly_accessible=False,
        storage_encrypted=True,
        kms_key_id=home.key,
        backup_retention_period=database.backup_days,
        copy_tags_to_snapshot=True,
        deletion_protection=design.protected,
        skip_final_snapshot=not design.protected,
        final_snapshot_identifier=f"{database.name}-last" if design.protected else None,
        auto_minor_version_upgrade=True,
        enabled_cloudwatch_logs_exports=["postgresql"],
        tags=design.tagged("database", database.site),
        opts=component.under("database", home.region, stateful=True),
    )
    if database.replica_site:
        _copy(_Site(component, design, database, keys, sites, database.replica_site), first)
    return first


class _Site:
    """What a database needs at one site."""

    def __init__(
        self,
        component: Component,
        design: Design,
        database: DatabasePart,
        keys: Keys,
        sites: Mapping[str, SiteIds],
        site: str,
    ) -> None:
        self.component, self.design, self.database = component, design, database
        self.site, self.ids = site, sites[site]
        self.region = design.network(site).place.region
        self.key = keys.get(self.region)

    def subnets(self) -> pulumi.Output[str]:
        name = f"database-subnets-{self.site}"
        return aws.rds.SubnetGroup(
            name,
            name=f"{self.database.name}-{self.site}",
            subnet_ids=self.ids.database,
            tags=self.design.tagged(name, self.site),
            opts=self.component.under(name, self.region),
        ).name

    def parameters(self) -> pulumi.Output[str]:
        name = f"database-parameters-{self.site}"
        return aws.rds.ParameterGroup(
            name,
            name=f"{self.database.name}-{self.site}",
            family=f"postgres{self.database.version}",
            parameters=[{"name": "rds.force_ssl", "value": "1"}],
            tags=self.design.tagged(name, self.site),
            opts=self.component.under(name, self.region),
        ).name


def _copy(there: _Site, first: aws.rds.Instance) -> None:
    database, design = there.database, there.design
    aws.rds.Instance(
        "database-copy",
        identifier=f"{database.name}-copy",
        replicate_source_db=first.arn,
        instance_class=database.type,
        storage_type="gp3",
        db_subnet_group_name=there.subnets(),
        parameter_group_name=there.parameters(),
        vpc_security_group_ids=[there.ids.groups[f"{there.site}-{DATABASE}"]],
        publicly_accessible=False,
        storage_encrypted=True,
        kms_key_id=there.key,
        backup_retention_period=database.backup_days,
        copy_tags_to_snapshot=True,
        deletion_protection=design.protected,
        skip_final_snapshot=not design.protected,
        final_snapshot_identifier=f"{database.name}-copy-last" if design.protected else None,
        tags=design.tagged("database-copy", there.site),
        opts=there.component.under("database-copy", there.region, stateful=True),
    )
