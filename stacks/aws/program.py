"""The Pulumi program of an environment on AWS: declares a design, returns what is to be known."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.aws.ci_identity import CiIdentity, CiIdentityArgs
from stacks.aws.component import providers
from stacks.aws.compute import Compute, ComputeArgs
from stacks.aws.data import Data, DataArgs
from stacks.aws.design import Design
from stacks.aws.failover import Failover, FailoverArgs
from stacks.aws.keys import Keys, KeysArgs
from stacks.aws.network import Network, NetworkArgs


def declare(design: Design) -> dict[str, Any]:
    """Declare everything of a design; return the outputs of its stack, by name.

    `hosts` is an inventory: of each its name, role, site, address, instance, volume, and how
    it is reached. `database` is what `trading:books` takes of one. No output is a secret.
    """
    regions = providers(design)
    keys = Keys("keys", KeysArgs(design, regions)).arns
    network = Network("network", NetworkArgs(design, regions, keys))
    compute = Compute("compute", ComputeArgs(design, regions, keys, network.sites, network.zone))
    data = Data("data", DataArgs(design, regions, keys, network.sites))
    failover = Failover(
        "failover", FailoverArgs(design, regions, keys, compute.instances, network.zone)
    )
    identity = None
    if design.ci is not None:
        identity = CiIdentity("ci", CiIdentityArgs(design, regions, design.ci))
    return {
        "hosts": [
            {
                "name": host.name,
                "role": host.role,
                "site": host.site,
                "region": host.region,
                "zone": host.zone,
                "address": host.address,
                "instance": compute.instances[host.name],
                "volume": compute.volumes[host.name],
                "reach": {
                    "by": design.login.by,
                    "user": design.login.user,
                    "region": host.region,
                },
            }
            for host in design.hosts
        ],
        "network": {
            one.site: {
                "vpc": network.sites[one.site].vpc,
                "cidr": one.share.vpc,
                "region": one.place.region,
                "zone": one.place.zone,
            }
            for one in design.networks
        },
        "domain": design.domain if network.zone is not None else "",
        "buckets": data.buckets,
        "secrets": data.secrets,
        "database": _reached(data.database) if data.database is not None else {},
        "alarms": failover.topics,
        "ci": {"role": identity.role, "keys": identity.keys} if identity is not None else {},
        "unmet": list(design.unmet),
    }


def _reached(database: aws.rds.Instance) -> dict[str, Any]:
    """Return where a managed database is, and the ARN of its master's secret."""
    master = database.master_user_secrets.apply(lambda kept: kept[0].secret_arn)
    return {"host": database.address, "port": database.port, "secret": master}


def export(design: Design) -> None:
    """Declare a design and export its outputs: the whole of a program."""
    for name, value in declare(design).items():
        pulumi.export(name, value)
