"""The `opsctl` command with three servers instead of the whole catalogue.

python -m tests.integration.deploy.small deploy daily --no-verify
"""

from __future__ import annotations

from opsctl import targets
from opsctl.cli.main import main
from opsctl.model.environment import Environment
from opsctl.services import etcd, postgres, valkey
from opsctl.services.base import Host, Service
from opsctl.targets.local import LocalTarget


def services(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return the database, the bus and the journal of site a."""
    return tuple(module.service(environment, "a", host) for module in (postgres, valkey, etcd))


if __name__ == "__main__":
    targets.open_target = lambda environment: LocalTarget(environment, services)
    main()
