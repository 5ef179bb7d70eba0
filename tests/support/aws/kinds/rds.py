"""What managed databases need: groups of subnets and of parameters."""

from __future__ import annotations

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import refusal
from tests.support.aws.kind import Kind, call, changed, exists, only, serves, tag_list, tag_map
from tests.support.aws.wire import Properties


class Rds(Kind):
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
class SubnetGroup(Rds):
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
class ParameterGroup(Rds):
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
