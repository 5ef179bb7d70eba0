"""The engine is killed while the platform in its containers trades, and comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from docker import DockerClient

from opsctl.drills import underway
from opsctl.targets.base import Blow
from opsctl.targets.docker import naming
from opsctl.targets.docker.faults import engine as engines
from opsctl.targets.docker.target import DockerTarget
from tests.e2e.conftest import OPSCTL, Deployed
from tests.support.servers import wait_for

SOON_S = 60.0


def is_dead(pid: int) -> bool:
    """Return whether a process has ended, also where nobody has waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def healthy(contained: Deployed) -> bool:
    verdict = contained.json("status", contained.name, check=False)["verdict"]
    return bool(verdict == "healthy")


@contextlib.contextmanager
def followed(contained: Deployed, service: str) -> Iterator[Callable[[], list[str]]]:
    """Follow the log of a service by the command; yield what returns its lines so far."""
    lines: list[str] = []
    reading = subprocess.Popen(
        [OPSCTL, "logs", contained.name, service, "--follow"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPSCTL_STATE": str(contained.state)},
    )
    out = reading.stdout
    assert out is not None

    def read() -> None:
        for line in out:
            lines.append(line)  # noqa: PERF402 - seen by others while it goes on

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield lambda: list(lines)
    finally:
        reading.terminate()
        reading.wait()
        thread.join()
        out.close()


def test_the_platform_trades_while_its_engine_is_killed_and_started_again(
    contained: Deployed, client: DockerClient, target: DockerTarget
) -> None:
    with followed(contained, "data@b") as lines:
        drill_the_engine(contained, client)
        heard = len(lines())
        target.aim(["data@b"], Blow.KILL)()  # it is given what it holds in memory by the keeper
        wait_for(lambda: len(lines()) > heard, "a log that is still followed", SOON_S)
        wait_for(lambda: healthy(contained), "health after it", SOON_S)
    assert len(set(lines())) == len(lines()), "no line came twice"


def drill_the_engine(contained: Deployed, client: DockerClient) -> None:
    services = {"label": naming.SERVICE}
    before = {c.id: c.attrs["State"]["StartedAt"] for c in client.containers.list(filters=services)}
    killed = engines.serving(os.environ["DOCKER_HOST"])
    found = contained.json("drill", "run", "engine-restart", contained.name, "--set", "hold_s=2")
    assert found["verdict"] == "passed", found["findings"]
    measured = found["measured"]
    assert (measured["orders_lost"], measured["orders_duplicated"]) == (0, 0)
    assert measured["orders_acknowledged"] > 100
    assert engines.serving(os.environ["DOCKER_HOST"]) != killed
    client.close()
    after = {c.id: c.attrs["State"]["StartedAt"] for c in client.containers.list(filters=services)}
    assert after == before


def test_an_engine_comes_back_though_the_drill_that_killed_it_is_killed(
    contained: Deployed,
) -> None:
    first = engines.serving(os.environ["DOCKER_HOST"])
    drill = subprocess.Popen(
        [OPSCTL, "drill", "run", "engine-restart", contained.name, "--set", "hold_s=600"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPSCTL_STATE": str(contained.state)},
    )
    wait_for(lambda: is_dead(first), "the engine's end", 120)
    drill.send_signal(signal.SIGKILL)
    drill.wait()
    engines.await_back(os.environ["DOCKER_HOST"])
    assert underway.read(contained.name) is not None
    healed = contained.run("verify", contained.name, check=False)
    assert "healed: lifted what drill engine-restart" in healed.stderr
    assert underway.read(contained.name) is None
