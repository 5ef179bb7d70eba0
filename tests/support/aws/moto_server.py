"""moto's server, forked from a process that has imported it and read what it knows of AWS.

A server on its own takes three seconds of a processor until it has answered for each service,
and every test of a firm has a server. State it has none before the fork: moto makes it for an
account, at the first request that concerns it.
"""

from __future__ import annotations

import functools
import importlib
import os

from tests.support import preloaded

SERVICES = (
    "budgets",
    "cloudwatch",
    "ec2",
    "iam",
    "kms",
    "logs",
    "rds",
    "route53",
    "s3",
    "ssm",
    "sts",
)
"""Of which everything is imported before the first fork."""
SETTINGS = {
    # As AWS: what does not exist, or is not allowed, is refused.
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
}
"""The variables of every server; moto reads some when it is imported, others later."""


def environment() -> dict[str, str]:
    """Return the variables of a server, without those by which a client is told of AWS."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**ours, **SETTINGS}


@functools.cache
def forking() -> preloaded.Server:
    """Return the process that the servers of this process are forked from."""
    return preloaded.Server(__name__, environment())


def preload() -> None:
    """Import, and read, what takes long; in no process that has a client: moto lays hands on it."""
    import moto.server  # noqa: F401
    from moto.core.utils import get_service_model

    for service in SERVICES:
        importlib.import_module(f"moto.{service}.models")
        importlib.import_module(f"moto.{service}.urls")
        get_service_model(service)


def serve() -> None:
    """Serve, as `python -m moto.server` does, with identifiers that no other server gives."""
    import moto.server
    from moto.moto_api._internal import mock_random

    mock_random.seed()
    moto.server.main()
