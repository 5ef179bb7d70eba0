"""The resource types, a module for each of AWS's services; importing this registers them."""

from tests.support.aws.kinds import (
    budgets,
    compute,
    databases,
    firewall,
    iam,
    keys,
    network,
    objects,
    observability,
    paths,
    rds,
    route53,
)

ALL = (
    budgets,
    compute,
    databases,
    firewall,
    iam,
    keys,
    network,
    objects,
    observability,
    paths,
    rds,
    route53,
)
