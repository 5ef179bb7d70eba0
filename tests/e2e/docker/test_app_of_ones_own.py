"""A strategy in another language, in an image of one's own, trades in place of ours."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import DockerClient

from opsctl.targets.docker import naming
from tests.e2e.conftest import Deployed
from tests.support.servers import wait_for

EXAMPLE = Path(__file__).parents[3] / "images" / "examples" / "dip"
TRADES_S = 60.0


@pytest.fixture(scope="module")
def engine(contained: Deployed) -> Iterator[DockerClient]:
    client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"])
    yield client
    client.close()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the example: one file that needs nothing of its machine."""
    if shutil.which("go") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Go")
        pytest.skip("there is no Go to build the example with")
    made = tmp_path_factory.mktemp("dip") / "dip"
    given = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -trimpath"}
    subprocess.run(["go", "vet", "."], cwd=EXAMPLE, check=True, env=given)
    subprocess.run(["go", "build", "-o", made, "."], cwd=EXAMPLE, check=True, env=given)
    return made


@pytest.fixture(scope="module")
def image(program: Path, engine: DockerClient) -> str:
    """Make an image of the program alone; return its id."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(program, "dip")
    said = engine.api.import_image_from_data(
        out.getvalue(), repository="quant/dip", tag="1", changes=['ENTRYPOINT ["/dip"]']
    )
    return str(json.loads(said)["status"])


@pytest.fixture(scope="module")
def mine(contained: Deployed, image: str) -> Iterator[Deployed]:
    """The daily tier beside the other environment, with a strategy that is not ours."""
    made = Deployed("daily", contained.state)
    try:
        made.run(
            *("deploy", made.name, "--target", "docker", "--no-verify"),
            *("--set", f"images.use.strategy={image}", "--set", "replay.day_s=0.5"),
        )
        yield made
    finally:
        made.run("destroy", made.name, "--yes")


def test_an_image_that_the_engine_lacks_is_named_before_anything_changes(
    contained: Deployed, engine: DockerClient
) -> None:
    lacking = f"sha256:{'0' * 64}"
    words = ("deploy", "daily", "--target", "docker", "--set", f"images.use.strategy={lacking}")
    done = contained.run(*words, check=False)
    assert done.returncode == 1
    assert f"the engine has no image {lacking}" in done.stderr
    assert not engine.networks.list(names=[naming.network("daily", "a")])


def test_its_decisions_become_orders_that_the_venue_fills(
    mine: Deployed, engine: DockerClient, image: str
) -> None:
    one = engine.containers.get(naming.container(mine.name, "strategy@a"))
    assert one.image.id == image
    volume = engine.volumes.get(naming.data(mine.name, "venue@market"))
    record = Path(volume.attrs["Mountpoint"]) / "record.jsonl"

    def executed() -> list[Any]:
        lines = [json.loads(line) for line in record.read_bytes().splitlines()[:-1]]
        ours = [e for e in lines if str(e.get("cl_ord_id", "")).startswith("dip-")]
        return [e for e in ours if e["kind"] == "execution" and e["qty"] == e["cum_qty"]]

    wait_for(lambda: len(executed()) > 3, "orders of the example", TRADES_S)
    assert {e["symbol"] for e in executed()} == {"AAPL"}
    assert {e["side"] for e in executed()} == {"buy", "sell"}


def test_it_keeps_the_contract_of_an_app(mine: Deployed) -> None:
    found = mine.json("verify", mine.name, "--probes", "40", check=False)
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["contract: strategy@a"]["verdict"] == "passed"
    # Every probe went through it: a close in, an order out of the gateway.
    assert checks["probes@a"]["verdict"] == "passed", checks["probes@a"]


def test_it_stops_when_it_is_told_and_goes_on_when_it_is_killed(
    mine: Deployed, engine: DockerClient
) -> None:
    one = engine.containers.get(naming.container(mine.name, "strategy@a"))
    one.stop(timeout=5)
    one.reload()
    assert one.attrs["State"]["ExitCode"] == 0
    one.start()
    one.reload()
    os.kill(one.attrs["State"]["Pid"], 9)

    def healthy() -> bool:
        return bool(mine.json("status", mine.name, check=False)["verdict"] == "healthy")

    wait_for(healthy, "the engine to start it again", TRADES_S)


def test_it_describes_every_setting_that_it_is_given(
    program: Path, mine: Deployed, engine: DockerClient
) -> None:
    said = subprocess.run([program, "--describe"], capture_output=True, check=True).stdout
    known = {f"TRADING_{name.upper()}" for name in json.loads(said)["properties"]}
    one = engine.containers.get(naming.container(mine.name, "strategy@a"))
    given = {v.partition("=")[0] for v in one.attrs["Config"]["Env"]}
    assert {name for name in given if name.startswith("TRADING_")} <= known
