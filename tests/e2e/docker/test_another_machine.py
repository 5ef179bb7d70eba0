"""A second machine, with an empty state folder, operates what the first one has deployed.

Deploys, rollbacks and destroys from two machines are in tests/e2e/machines, on fewer services.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import OPSCTL, Deployed
from tests.support.servers import folder, wait_for

HEALTHY_S = 180.0


@pytest.fixture(scope="module")
def second(contained: Deployed) -> Iterator[Deployed]:
    with folder() as state:
        yield Deployed(contained.name, state)


def healthy(machine: Deployed) -> None:
    """Wait until every service does its work and no alert is left, as this machine sees it."""
    wait_for(
        lambda: machine.run("health", machine.name, check=False).returncode == 0,
        "health",
        HEALTHY_S,
    )


def test_it_sees_what_the_first_one_sees(second: Deployed) -> None:
    assert second.json("status", second.name)["verdict"] == "healthy"
    healthy(second)
    assert second.json("plan", second.name, "--target", "docker")["changes"] == []
    assert not second.json("deploy", second.name, "--target", "docker")["changed"]
    line = second.json("evidence", "verify", "--environment", second.name)
    assert line["verdict"] == "passed"


def test_either_moves_the_order_path(contained: Deployed, second: Deployed) -> None:
    for _ in range(5):  # a busy machine may have moved it, also since the look before
        contained.json("failback", contained.name)
        there = second.json("failover", second.name, "--to", "b", check=False)
        if there["verdict"] == "done":
            break
    assert (there["verdict"], there["to_site"]) == ("done", "b")
    back = contained.json("failback", contained.name)
    assert (back["verdict"], back["to_site"]) == ("done", "a")


def stopped(machine: Deployed) -> bool:
    """Whether containers are kept down."""
    services = machine.json("status", machine.name, check=False)["services"]
    return any(service["state"] == "stopped" for service in services)


def test_a_drill_that_is_killed_on_one_machine_is_lifted_from_another(
    contained: Deployed, second: Deployed
) -> None:
    drill = subprocess.Popen(
        [OPSCTL, "drill", "run", "site-loss", second.name, "--set", "hold_s=600"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPSCTL_STATE": str(second.state)},
        start_new_session=True,
    )
    try:
        wait_for(lambda: stopped(contained), "the blow", 120)
        refused = contained.run("rollback", contained.name, check=False)
        assert refused.returncode == 1
        assert "is held by `opsctl drill run site-loss intraday`" in refused.stderr
        said = contained.run("status", contained.name, check=False).stderr
        assert "unfinished" not in said
    finally:
        os.killpg(drill.pid, signal.SIGKILL)
        drill.wait()
    said = contained.run("status", contained.name, check=False).stderr
    assert "unfinished: drill site-loss did not come to its end" in said
    done = contained.run("open", contained.name, "--print", check=False)
    assert "lifted what drill site-loss" in done.stderr
    healthy(second)
    # Its own log lacks the line of its run until it is next written; no fault stands any more.
    said = second.run("status", second.name).stderr
    assert "did not come to its end" not in said
