"""Keys: one a region, for all that an environment keeps there."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.aws import policies
from stacks.aws.component import Component, Providers
from stacks.aws.design import Design


@dataclass(frozen=True)
class KeysArgs:
    """What keys are made of."""

    design: Design
    regions: Providers


class Keys(Component):
    """A key of KMS in each region, rotated every year, under the environment's alias.

    Where the environment names a key, that one is used. An ephemeral environment makes none:
    it is given those that its CI may use.
    """

    TYPE = "trading:aws:Keys"
    arns: dict[str, pulumi.Output[str]]
    """By region."""

    def __init__(
        self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the keys."""
        super().__init__(name, args.design, args.regions, opts)
        design = args.design
        self.arns = {}
        for region in design.regions:
            if region in design.keys:
                self.arns[region] = pulumi.Output.from_input(design.keys[region])
            elif not design.ephemeral:
                what = f"all that environment {design.environment} keeps in {region}"
                self.arns[region] = declare_key(self, design, region, design.slug, what)
        self.register_outputs({"arns": self.arns})


def declare_key(
    component: Component, design: Design, region: str, alias: str, what: str, begins: str = ""
) -> pulumi.Output[str]:
    """Declare a key and its alias under a component; return its ARN.

    `begins` begins the names of both.
    """
    name = f"{begins}key-{region}"
    key = aws.kms.Key(
        name,
        description=what,
        enable_key_rotation=True,
        deletion_window_in_days=30,
        policy=policies.key(design.account, region),
        tags=design.tagged(name),
        opts=component.under(name, region, stateful=True),
    )
    aws.kms.Alias(
        f"{begins}alias-{region}",
        name=f"alias/{alias}",
        target_key_id=key.key_id,
        opts=component.under(f"{begins}alias-{region}", region),
    )
    return key.arn
