"""Carrying images to other engines: by a file, by a stream, by a registry."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from opsctl import evidence
from opsctl.errors import UsageError
from opsctl.images import official
from opsctl.images.engine import EngineRefused, connected
from opsctl.images.results import BuiltImage, ImagesPushed, ImagesSaved
from opsctl.images.running import runnable
from opsctl.model.environment import Images
from tests.integration.images.conftest import LONG, Engine, run
from tests.support import engine as engines
from tests.support.command import MAIN, opsctl
from tests.support.servers import Process, folder, free_port, wait_for

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def other(engine: Engine) -> Iterator[Engine]:
    """Run a second engine, as of another host."""
    with engines.running() as dockerd:
        client = docker.DockerClient(base_url=dockerd.address, timeout=LONG)
        yield Engine(dockerd, client)
        client.close()


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """Run a registry of Debian's, on loopback, which engines reach without TLS."""
    program = shutil.which("docker-registry")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have a registry: apt-get install docker-registry")
        pytest.skip("there is no docker-registry; on Debian, as root: apt-get install it")
    port = free_port()
    with folder() as home:
        config = home / "config.yml"
        config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {home}/data}}}}\n"
            f"http: {{addr: 127.0.0.1:{port}}}\n"
        )
        process = Process([program, "serve", str(config)], home / "log")
        process.start()
        wait_for(lambda: b"listening on" in (home / "log").read_bytes(), "the registry")
        yield f"127.0.0.1:{port}"
        assert process.popen is not None
        process.popen.terminate()
        process.popen.wait()


def test_a_saved_file_brings_the_same_image_to_another_engine(
    engine: Engine, other: Engine, built: dict[str, BuiltImage], state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "images.tar.gz"
    words = ("images", "save", str(file), "network", "--output", "json")
    done = opsctl(*words, state=state, engine=engine.address)
    assert done.returncode == 0, done.stderr
    saved = ImagesSaved.model_validate_json(done.stdout)
    assert saved.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["images.tar.gz"]

    refused = opsctl(
        "images", "load", str(file), "--sha256", "0" * 64, state=state, engine=other.address
    )
    assert refused.returncode == 1
    assert "is not the file that was saved" in refused.stderr
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(file.read_bytes()[:-100_000])
    broken = opsctl("images", "load", str(cut), state=state, engine=other.address)
    assert broken.returncode == 1
    assert "is no whole archive of images" in broken.stderr
    assert other.client.images.list() == []

    done = opsctl(
        "images", "load", str(file), "--sha256", saved.sha256, state=state, engine=other.address
    )
    assert done.returncode == 0, done.stderr
    reference = built["network"].reference
    assert other.client.images.get(reference).id == built["network"].id
    assert list(evidence.log().read())[-1].command == "images load"
    other.client.images.remove(reference)


def test_a_stream_needs_no_file_between(
    engine: Engine, other: Engine, built: dict[str, BuiltImage], state: Path
) -> None:
    words = [sys.executable, "-c", MAIN, "images"]
    given = {**os.environ, "OPSCTL_STATE": str(state)}
    with subprocess.Popen(
        [*words, "save", "-", "network", "--engine", engine.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=given,
    ) as save:
        load = subprocess.run(
            [*words, "load", "-", "--engine", other.address],
            stdin=save.stdout,
            capture_output=True,
            check=False,
            env=given,
        )
        assert save.stderr is not None
        said = save.stderr.read().decode()
    assert (save.returncode, load.returncode) == (0, 0), (said, load.stderr)
    assert "sha256" in said
    assert other.client.images.get(built["network"].reference).id == built["network"].id


def test_a_pushed_image_is_pulled_by_its_digest_and_carries_others(
    engine: Engine, other: Engine, registry: str, built: dict[str, BuiltImage], state: Path
) -> None:
    where = f"{registry}/trading"
    words = ("images", "push", "network", "valkey", "--registry", where, "--output", "json")
    done = opsctl(*words, state=state, engine=engine.address)
    assert done.returncode == 0, done.stderr
    pushed = {i.name: i for i in ImagesPushed.model_validate_json(done.stdout).images}
    assert pushed["network"].id == built["network"].id
    assert pushed["network"].reference.startswith(f"{where}/network@sha256:")
    line = list(evidence.log().read())[-1]
    assert line.command == "images push"
    assert pushed["valkey"].reference in json.dumps(line.result)

    with connected(other.address) as host:
        named = Images(use={"valkey": pushed["valkey"].reference})
        found = runnable(["valkey"], named, host)["valkey"]
        assert found.reference == pushed["valkey"].reference
        assert official.pulled(host, pushed["valkey"].reference) == built["valkey"].id
        with pytest.raises(EngineRefused, match="cannot be had"):
            official.pulled(host, f"{where}/valkey@sha256:{'0' * 64}")
        # Any image with our Python on its PATH serves as the base of the apps.
        parent = official.parent(host, pushed["valkey"].reference)
    assert parent.diff_ids == tuple(layer.diff_id for layer in built["valkey"].layers)

    environment = state / "project"
    environment.mkdir()
    (environment / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
    (environment / "Pulumi.based.yaml").write_text(
        "config:\n  trading:format: 1\n  trading:tier: weekly\n"
        f"  trading:images: {{base: '{pushed['valkey'].reference}', registry: '{where}'}}\n"
    )
    build = ("images", "build", "network", "--environment", "based", "--output", "json")
    done = opsctl(*build, state=state, engine=other.address, cwd=environment)
    assert done.returncode == 0, done.stderr
    (made,) = json.loads(done.stdout)["images"]
    assert made["base"] == pushed["valkey"].reference
    assert "base" not in [layer["slot"] for layer in made["layers"]]
    held = other.client.images.get(made["id"])
    assert held.attrs["RootFS"]["Layers"][: len(parent.diff_ids)] == list(parent.diff_ids)
    assert held.labels["org.opencontainers.image.base.digest"] in pushed["valkey"].reference
    said = run(other, made["id"], "python3.11", "-c", "import apps.network.app; print('runs')")
    assert said.strip() == "runs"


def test_what_cannot_be_pushed_is_refused_before_anything_is_sent(
    engine: Engine, other: Engine, built: dict[str, BuiltImage], state: Path
) -> None:
    words = ("images", "push", "desk", "etcd")
    with (
        connected(other.address) as host,
        pytest.raises(UsageError, match="not built from this commit: desk, execution"),
    ):
        runnable(["desk", "projector", "execution"], Images(), host)
    absent = opsctl(*words, "--registry", "127.0.0.1:1/x", state=state, engine=other.address)
    assert absent.returncode == 2
    assert "not built from this commit: desk, etcd" in absent.stderr
    assert "opsctl images build desk etcd" in absent.stderr

    unnamed = opsctl(*words, state=state, engine=engine.address)
    assert unnamed.returncode == 2
    assert "no registry is named" in unnamed.stderr

    down = opsctl(
        *words, "--registry", f"127.0.0.1:{free_port()}/x", state=state, engine=engine.address
    )
    assert down.returncode == 1
    assert "cannot be pushed" in down.stderr
    assert list(evidence.log().read())[-1].outcome == "failed"
