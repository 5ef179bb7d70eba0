"""The `opsctl` command with three servers in containers instead of the whole catalogue.

python -m tests.e2e.machines.few deploy few --no-verify
"""

from __future__ import annotations

from opsctl import targets
from opsctl.cli.main import main
from opsctl.targets.docker import DockerTarget
from tests.integration.deploy.small import services

if __name__ == "__main__":
    targets.open_target = lambda environment: DockerTarget(environment, services)
    main()
