"""What all components share: parents, providers of regions, protection, and former names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pulumi
import pulumi_aws as aws

from stacks.aws.design import Design
from stacks.aws.naming import SHARED

Providers = Mapping[str, aws.Provider]
"""By region."""
Keys = Mapping[str, pulumi.Output[str]]
"""The ARN of the environment's key, by region; an ephemeral environment has none."""

RENAMED: Mapping[str, tuple[str, ...]] = {}
"""Present name of a resource -> the names that it had: with a new name it stays the same one."""


def _former(name: str) -> list[pulumi.Input[str | pulumi.Alias]]:
    return [pulumi.Alias(name=old) for old in RENAMED.get(name, ())]


def providers(design: Design) -> Providers:
    """Return a provider a region, held to the account of the environment."""
    return {
        region: aws.Provider(f"aws-{region}", region=region, allowed_account_ids=[design.account])
        for region in design.regions
    }


class Component(pulumi.ComponentResource):
    """A part of an environment; its resources are its children."""

    TYPE: ClassVar[str]

    def __init__(
        self,
        name: str,
        design: Design,
        regions: Providers,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Begin a component; what it declares follows."""
        own = pulumi.ResourceOptions(aliases=_former(name))
        super().__init__(self.TYPE, name, None, pulumi.ResourceOptions.merge(opts, own))
        self._design = design
        self._regions = regions

    def under(
        self,
        name: str,
        region: str,
        *,
        stateful: bool = False,
        depends_on: Sequence[pulumi.Resource] = (),
        ignore_changes: Sequence[str] = (),
    ) -> pulumi.ResourceOptions:
        """Return the options of a child in a region; who is `stateful` refuses to be deleted."""
        return pulumi.ResourceOptions(
            parent=self,
            provider=self._regions[region],
            protect=True if stateful and self._design.protected else None,
            depends_on=list(depends_on),
            ignore_changes=list(ignore_changes),
            aliases=_former(name),
        )

    def _tags(self, name: str, site: str = SHARED) -> dict[str, str]:
        return self._design.tagged(name, site)
