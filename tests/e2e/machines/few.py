"""The `opsctl` command with three servers in containers instead of the whole catalogue.

python -m tests.e2e.machines.few deploy few --no-verify

With BROKEN in its environment, the bus does not start; with NEEDED, the engine's disk must have so
many bytes free; with APART, it sees nothing of what others of this machine have reserved;
with KILLED, it is killed once preflight has passed.
"""

from __future__ import annotations

import os
import signal
from functools import partial

from opsctl import targets
from opsctl.cli.main import main
from opsctl.deploy import identity
from opsctl.images.engine import refuse_full_disk
from opsctl.model.environment import Environment
from opsctl.services.base import Host, Service
from opsctl.targets.docker import addresses, hosts
from opsctl.targets.docker.target import DockerTarget
from opsctl.targets.reserving import reserve
from tests.integration.deploy import small


def services(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return the database, the bus and the journal of site a."""
    made = small.services(environment, host)
    if "BROKEN" not in os.environ:
        return made
    return tuple(
        s.model_copy(update={"argv": (*s.argv, "--nonsense")}) if s.name == "valkey" else s
        for s in made
    )


if __name__ == "__main__":
    targets.open_target = lambda environment: DockerTarget(environment, services)
    if "NEEDED" in os.environ:
        needed = int(os.environ["NEEDED"])
        vars(hosts)["refuse_full_disk"] = partial(refuse_full_disk, needed=needed)
    if "APART" in os.environ:
        vars(addresses)["reserve"] = lambda what: reserve(f"{what}-{os.getpid()}")
    if "KILLED" in os.environ:
        vars(identity)["ensure"] = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    main()
