"""A firm with an environment on AWS: its project folder, its state, its commands of `opsctl`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacks.aws.policies import CI_FLOW_LOGS, CI_HOSTS
from tests.support.aws.faults import Faults
from tests.support.aws.plugin import provider_folder
from tests.support.aws.server import REGION, AwsServer, aws_server
from tests.support.combinations import Combination
from tests.support.process import folder
from tests.support.project import Project

IMAGE = "amzn2-ami-hvm-2.0.20180810-x86_64-gp2"
"""One of the thousand that moto has in every region."""


@dataclass
class Firm(Project):
    """A project, and the cloud that it deploys to."""

    server: AwsServer
    faults: Faults

    def write(self, name: str, settings: Mapping[str, Any], **more: Any) -> None:
        """Write the file of an environment: what it is on AWS, and `more` of it."""
        keys = {"format": 1, "target": "docker", "infrastructure": "aws", "aws": dict(settings)}
        self.put(name, {**keys, **more})

    def write_cloud(
        self,
        *,
        log_days: int = 365,
        account: str = "",
        aws: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Write the file of `cloud`: one host of the daily tier, `aws` and `more` besides."""
        settings = {
            "account": account or self.server.account,
            "owner": "platform",
            "region": REGION,
            "images": {REGION: self.image(REGION)},
            "log_days": log_days,
            **(aws or {}),
        }
        self.write("cloud", settings, **{"tier": "daily", "dr": "cold", **more})

    def write_combination(self, one: Combination, **more: Any) -> None:
        """Write the file of a combination of tiers; `more` in place of its settings on AWS."""
        images = {region: self.image(region) for region in one.regions}
        if one.ephemeral:
            more = {"keys": {region: self.key(region) for region in one.regions}, **more}
        said = one.written(self.server.account, images, **more)
        may = {"allow-unmet": True} if one.unmet else {}
        self.write(one.name, said, tier=one.tier, dr=one.dr, **may)

    def image(self, region: str) -> str:
        """Return an image that AWS has in a region."""
        named = [{"Name": "name", "Values": [IMAGE]}]
        (found,) = self.server.client("ec2", region).describe_images(Filters=named)["Images"]
        return str(found["ImageId"])

    def key(self, region: str) -> str:
        """Return the key that the firm has in a region, made if need be."""
        kms = self.server.client("kms", region)
        for alias in kms.list_aliases()["Aliases"]:
            if alias["AliasName"] == "alias/firm":
                return str(kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["Arn"])
        made = kms.create_key(Description="of the firm")["KeyMetadata"]
        kms.create_alias(AliasName="alias/firm", TargetKeyId=made["KeyId"])
        return str(made["Arn"])

    def prepare_ci(self) -> None:
        """Make what ephemeral environments find in an account: CI's roles, declared elsewhere."""
        iam = self.server.client("iam")
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        for role in (CI_FLOW_LOGS, CI_HOSTS):
            iam.create_role(RoleName=role, Path="/opsctl/", AssumeRolePolicyDocument=trust)
        iam.create_instance_profile(InstanceProfileName=CI_HOSTS, Path="/opsctl/")
        iam.add_role_to_instance_profile(InstanceProfileName=CI_HOSTS, RoleName=CI_HOSTS)

    def networks(self) -> list[str]:
        """Return the VPCs that are not AWS's own."""
        found = self.server.client("ec2").describe_vpcs()["Vpcs"]
        return [one["VpcId"] for one in found if not one["IsDefault"]]

    def instances(self, region: str = REGION) -> list[dict[str, Any]]:
        """Return the instances of a region that were not terminated."""
        found = self.server.client("ec2", region).describe_instances()["Reservations"]
        every = [one for each in found for one in each["Instances"]]
        return [one for one in every if one["State"]["Name"] != "terminated"]

    def provider(self, *, killed: bool = False) -> Path:
        """Choose the provider of the next commands; return the folder where the engine finds it.

        One that will be `killed` is a program of its own, gone as soon as it was.
        """
        return provider_folder(self.home, forked=not killed)

    @contextlib.contextmanager
    def allowed(self, *actions: str) -> Iterator[None]:
        """Run commands as somebody who may do these actions only, until the block ends."""
        iam, name = self.server.client("iam"), "limited"
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        iam.create_user(UserName=name)
        iam.put_user_policy(
            UserName=name,
            PolicyName=name,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        made = iam.create_access_key(UserName=name)["AccessKey"]
        before = dict(self.variables)
        self.variables["AWS_ACCESS_KEY_ID"] = made["AccessKeyId"]
        self.variables["AWS_SECRET_ACCESS_KEY"] = made["SecretAccessKey"]
        try:
            with self.server.judging():
                yield
        finally:
            self.variables.update(before)
            iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
            iam.delete_user_policy(UserName=name, PolicyName=name)
            iam.delete_user(UserName=name)


@contextlib.contextmanager
def firm() -> Iterator[Firm]:
    """Give a firm an account of its own and an empty project, until the block ends."""
    with aws_server() as server, folder() as home:
        made = Firm(home, server, Faults(home / "faults"))
        made.variables |= {
            **server.environment,
            **made.faults.environment,
            "PATH": f"{made.provider()}{os.pathsep}{os.environ['PATH']}",
        }
        yield made
