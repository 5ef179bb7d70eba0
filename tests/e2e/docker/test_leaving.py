"""The last of these tests: an environment in containers is destroyed, and nothing is left."""

from __future__ import annotations

import os
from pathlib import Path

import docker

from opsctl.targets.docker import naming
from opsctl.targets.docker.faults.engine import Revival
from tests.e2e.conftest import Deployed


def test_what_a_destroy_leaves_is_nothing(contained: Deployed) -> None:
    done = contained.run("destroy", contained.name, "--yes", check=False)
    if done.returncode:  # of an engine that was restarted with live-restore before
        assert "restart it once more" in done.stderr
        engine = Revival(os.environ["DOCKER_HOST"])
        engine.kill()
        engine.let_go()
        contained.run("destroy", contained.name, "--yes")
    client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
    mine = {"label": f"{naming.ENVIRONMENT}={contained.name}"}
    assert not client.containers.list(all=True, filters=mine)
    assert not client.networks.list(filters=mine)
    assert not client.volumes.list(filters=mine)
    client.close()
    assert not (Path(contained.state) / "environments" / contained.name / "secrets").exists()
