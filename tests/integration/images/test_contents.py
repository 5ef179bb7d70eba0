"""What is in the images: who runs, what does not, what is stated, and that it works."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from pathlib import Path

import pytest

from apps.core.settings import VenueSettings
from opsctl.images.definition import AppImage, ServerImage, definitions
from opsctl.images.engine import EngineRefused, connected
from opsctl.images.results import BuiltImage
from opsctl.images.running import runnable
from opsctl.model.environment import Images
from opsctl.services.alertmanager import CONFIG
from tests.integration.images.conftest import Engine, healthy, run, started

REPOSITORY = Path(__file__).parents[3]
ALL = [image.name for image in definitions()]
APPS = [image for image in definitions() if isinstance(image, AppImage)]
SERVERS = [image for image in definitions() if isinstance(image, ServerImage)]
MB = 1_000_000

_IMPORT = """\
import importlib, pkgutil, sys
package = importlib.import_module(f"apps.{sys.argv[1]}")
for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print("all of", package.__name__)
"""

_SHELLS = {"sh", "bash", "dash", "busybox", "perl", "apt", "apt-get", "dpkg", "pip", "pip3"}
_TOOLS = {"curl", "wget", "nc", "tar", "su", "sudo", "mount", "gcc", "cc", "openssl", "uv"}


@pytest.mark.parametrize("name", ALL)
def test_nobody_is_root_and_health_and_origin_are_stated(
    engine: Engine, built: dict[str, BuiltImage], name: str
) -> None:
    config = engine.client.images.get(built[name].reference).attrs["Config"]

    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    stated = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert {"title", "version", "revision", "created", "licenses"} <= set(stated)
    assert stated["created"].endswith("Z")
    assert len(stated["revision"].removesuffix("-dirty")) == 40
    assert engine.client.images.get(built[name].reference).id == built[name].id


def test_no_image_is_larger_than_it_may_be(built: dict[str, BuiltImage]) -> None:
    above = {image.name: built[image.name].above_base_bytes for image in APPS}
    assert above["strategy"] <= 700 * MB
    assert max(size for name, size in above.items() if name != "strategy") <= 250 * MB


@pytest.mark.parametrize("name", ["network", "valkey"])
def test_there_is_no_shell_no_package_tool_and_nothing_setuid(
    engine: Engine, built: dict[str, BuiltImage], name: str
) -> None:
    container = engine.client.containers.create(built[name].reference)
    try:
        exported = io.BytesIO(b"".join(container.export()))
    finally:
        container.remove()
    with tarfile.open(fileobj=exported) as tar:
        members = list(tar)
    runnable = {Path(m.name).name for m in members if m.isfile() and m.mode & 0o111}
    assert not runnable & (_SHELLS | _TOOLS)
    assert "python3.11" in runnable
    assert not [m.name for m in members if m.mode & (stat.S_ISUID | stat.S_ISGID)]
    assert {m.uid for m in members} == {0}


@pytest.mark.parametrize("image", APPS, ids=lambda image: image.name)
def test_an_app_has_every_package_that_it_imports(
    engine: Engine, built: dict[str, BuiltImage], image: AppImage
) -> None:
    python = "/usr/bin/python3.11"
    said = run(engine, built[image.name].reference, python, "-c", _IMPORT, image.app)
    assert said.splitlines()[-1] == f"all of apps.{image.app}"

    described = run(
        engine, built[image.name].reference, python, "-m", f"apps.{image.app}", "--describe"
    )
    assert "http_token_file" in json.loads(described)["properties"]


@pytest.mark.parametrize("missing", ["skfolio", "pandas", "boto3", "typer", "opsctl"])
def test_execution_carries_neither_the_optimizer_nor_the_control_plane(
    engine: Engine, built: dict[str, BuiltImage], missing: str
) -> None:
    look = f"import importlib.util; print(importlib.util.find_spec({missing!r}))"
    reference = built["execution"].reference
    assert run(engine, reference, "/usr/bin/python3.11", "-c", look).strip() == "None"


def test_strategies_and_prices_are_found_as_entry_points(
    engine: Engine, built: dict[str, BuiltImage]
) -> None:
    look = (
        "from importlib.metadata import entry_points as e;"
        "print(e(group='opsctl.strategies')['momentum'].load().__name__)"
    )
    python = "/usr/bin/python3.11"
    assert run(engine, built["strategy"].reference, python, "-c", look).strip() == "Momentum"
    look = (
        "from apps.core.prices import open_source as o; print(next(iter(o('prices').days())).day)"
    )
    assert run(engine, built["data"].reference, python, "-c", look).strip() == "1990-01-02"


def test_nothing_is_compiled_at_a_start(engine: Engine, built: dict[str, BuiltImage]) -> None:
    words = ("/usr/bin/python3.11", "-v", "-c", "import apps.core.app")
    said = run(engine, built["network"].reference, *words).splitlines()
    assert len([line for line in said if "matches /opt/trading" in line]) > 50
    assert not [line for line in said if "code object from" in line and line.endswith(".py")]


_STARTED: dict[str, tuple[str, ...] | None] = {
    "valkey": None,
    "etcd": None,
    "alertmanager": (
        "alertmanager",
        "--config.file=/config/alertmanager.yml",
        "--storage.path=/tmp",
        "--cluster.listen-address=",
    ),
    "prometheus": None,
    "seaweedfs": None,
}


@pytest.mark.parametrize("name", [*_STARTED])
def test_a_server_runs_read_only_as_nobody_and_becomes_healthy(
    engine: Engine, built: dict[str, BuiltImage], tmp_path: Path, name: str
) -> None:
    place = tmp_path / "config"
    place.mkdir()
    (place / "alertmanager.yml").write_text(CONFIG)
    config = {str(place): {"bind": "/config", "mode": "ro"}}
    words = _STARTED[name]
    command = None if words is None else list(words)
    container = started(engine, built[name].reference, command, volumes=config)
    try:
        healthy(container)
    finally:
        container.remove(force=True)


def test_postgres_runs_read_only_as_nobody_and_becomes_healthy(
    engine: Engine, built: dict[str, BuiltImage]
) -> None:
    # No shell to chain the two: Python does, as the target does by two containers.
    both = (
        "import os, subprocess; "
        "subprocess.run(['initdb', '-D', '/tmp/data', '-U', 'opsctl', '-A', 'trust'], check=True);"
        "os.execvp('postgres', ['postgres', '-D', '/tmp/data', '-k', '/tmp'])"
    )
    container = started(engine, built["postgres"].reference, ["/usr/bin/python3.11", "-c", both])
    try:
        healthy(container)
        container.kill("STOP")
        code, _ = container.exec_run(["/usr/bin/python3.11", "/opt/trading/probe.py", "postgres"])
        assert code != 0  # the probe asks the server, not whether there is a process
    finally:
        container.remove(force=True)


def test_the_venue_runs_read_only_as_nobody_and_becomes_healthy(
    engine: Engine, built: dict[str, BuiltImage], tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "token").write_text("t" * 40)
    (secrets / "fix").write_text("f" * 40)
    settings = VenueSettings.of(
        environment="daily",
        site="market",
        service="venue",
        http_port=8080,
        http_token_file="/secrets/token",
        fix_port=9000,
        fix_password_file="/secrets/fix",
        fix_store="/tmp/fix",
        record="/tmp/record.jsonl",
        tape="prices",
        tape_start="2010-01-04",
    )
    container = started(
        engine,
        built["venue"].reference,
        None,
        environment=settings.to_environment(),
        volumes={str(secrets): {"bind": "/secrets", "mode": "ro"}},
    )
    try:
        healthy(container)
        (secrets / "token").write_text("another")
        probe = ["/usr/bin/python3.11", "-I", "-S", "/opt/trading/probe.py", "app"]
        code, said = container.exec_run(probe)
        assert (code, b"401" in said) == (1, True)  # it asks with the token, and is answered
    finally:
        container.remove(force=True)


def test_the_bill_of_materials_names_what_is_inside(built: dict[str, BuiltImage]) -> None:
    bills = {
        name: json.loads(built[name].sbom.read_text()) for name in ("strategy", "execution", "etcd")
    }
    parts = {
        name: {part["purl"].partition("?")[0] for part in bill["components"]}
        for name, bill in bills.items()
    }
    assert any(purl.startswith("pkg:pypi/skfolio@1.12.0") for purl in parts["strategy"])
    assert not any("skfolio" in purl for purl in parts["execution"])
    assert "pkg:pypi/quickfix@1.16.0" in parts["execution"]
    assert any(purl.startswith("pkg:deb/debian/libc6@") for purl in parts["execution"])
    assert any(purl.startswith("pkg:golang/go.etcd.io/etcd") for purl in parts["etcd"])
    about = bills["etcd"]["metadata"]["component"]
    assert about["hashes"][0]["content"] == built["etcd"].id.removeprefix("sha256:")
    assert bills["etcd"]["bomFormat"] == "CycloneDX"


def test_a_layer_is_what_its_digest_says(engine: Engine, built: dict[str, BuiltImage]) -> None:
    image = engine.client.images.get(built["network"].reference)
    saved = io.BytesIO(b"".join(image.save()))
    with tarfile.open(fileobj=saved) as tar:
        listed = tar.extractfile("manifest.json")
        assert listed is not None
        (entry,) = json.load(listed)
        inner = [tar.extractfile(name) for name in entry["Layers"]]
        digests = [f"sha256:{hashlib.sha256(i.read()).hexdigest()}" for i in inner if i]
    assert digests == [layer.diff_id for layer in built["network"].layers]


def test_a_target_learns_what_runs_a_service_and_as_whom(
    engine: Engine, built: dict[str, BuiltImage]
) -> None:
    services = ("execution", "projector", "postgres")
    with connected(engine.address) as host:
        found = runnable(services, Images(), host)
        other = {"postgres": f"docker.io/library/postgres@sha256:{'0' * 64}"}
        with pytest.raises(EngineRefused, match="cannot be had"):
            runnable(services, Images(use=other), host)

    assert found["execution"].reference == found["projector"].reference == built["execution"].id
    assert found["postgres"].reference == built["postgres"].id
    assert {one.user for one in found.values()} == {"10001:10001"}
    assert found["execution"].own
    assert found["execution"].python == ("/usr/bin/python3.11",)
    assert found["postgres"].healthcheck[-1] == "postgres"
    words = [*found["execution"].python, "-m", "apps.execution.projector", "--describe"]
    assert "journal_endpoints" in run(engine, found["projector"].reference, *words)
