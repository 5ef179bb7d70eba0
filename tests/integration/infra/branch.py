"""`opsctl` without what runs on hosts, for tests of environments that end in a cloud.

The stack, its engine, the account and the life of the environment are the real ones. Left out are
the hosts: they are instances that nobody booted, so none is met, provisioned or deployed on. That
is tried on machines with the addresses of instances (`tests/e2e/cloud`).
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from opsctl.cli import main as command_line
from opsctl.deploy.outcome import Deployed as ServicesDeployed
from opsctl.deploy.pipeline import Pipeline
from opsctl.ephemeral import reaping
from opsctl.errors import OpsctlError
from opsctl.infra import applying, aws, whole
from opsctl.infra.hosts import handed_out
from opsctl.model.environment import Environment
from opsctl.model.ephemeral import Ephemeral

SILENT = "TEST_SILENT"
"""The variable that says that no host will answer."""
LATER = "TEST_LATER_S"
"""The variable that says how many seconds later it is for whoever reaps."""


def deploy(
    environment: Environment, asked: whole.Asked, pipeline: Pipeline, heard: whole.Heard
) -> whole.Deployed:
    """Make the infrastructure, and have nothing run on it."""
    del pipeline
    made = applying.deploy(environment, asked.infrastructure, heard.say, heard.step)
    if os.environ.get(SILENT):
        raise OpsctlError("trading-a does not answer", hint="look at its console")
    hosts = handed_out(environment.name, made.outputs)
    return whole.Deployed(
        environment=environment.name,
        infrastructure=made,
        hosts=tuple(
            whole.HostReady(name=h.name, site=h.site, address=h.address, through="", profile="")
            for h in hosts
        ),
        provisioned=(),
        services=ServicesDeployed(
            environment=environment.name,
            run=made.run,
            changed=False,
            changes=(),
            services=0,
            duration_s=0.0,
        ),
        duration_s=made.duration_s,
    )


def refuse(environment: Environment) -> None:
    """Refuse nothing: what would run on hosts is left out."""


def no_time(ephemeral: Ephemeral, now: datetime) -> timedelta | None:
    """Have a lock outlived: hours are over for whoever reaps later."""
    del ephemeral, now
    return timedelta(0)


def main() -> None:
    """Run a command of `opsctl`."""
    reap, later = reaping.reap, timedelta(seconds=float(os.environ.get(LATER, "0")))

    def reap_later(means: Any, progress: Any, now: datetime, **how: bool) -> Any:
        return reap(means, progress, now + later, **how)

    reaping.reap = reap_later
    if later:
        aws.lock_lasts = no_time
    whole.deploy = deploy
    whole.refuse = refuse
    command_line.main()


if __name__ == "__main__":
    main()
