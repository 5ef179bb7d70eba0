"""Building: the same commit gives the same bytes, a change costs one layer, a kill nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsctl import evidence
from opsctl.images import distribution, store
from opsctl.images.results import BuiltImage, ImagesBuilt, ImagesListed
from opsctl.state import images_folder
from tests.integration.images.conftest import Engine
from tests.support.command import MAIN, opsctl
from tests.support.servers import folder

REPOSITORY = Path(__file__).parents[3]
SECRET = "v3ry-s3cret-4nd-n0where"


def _git(checkout: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = subprocess.run(
        ["git", "-C", str(checkout), *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """Give a repository of its own: what this one holds now, as one commit."""
    with folder() as home:
        named = _git(REPOSITORY, "ls-files", "-z").split("\0")
        for name in filter(None, named):
            if (REPOSITORY / name).is_file():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(REPOSITORY / name, home / name)
        _git(home, "init", "-q")
        _git(home, "add", "-A")
        _git(home, "commit", "-q", "-m", "All of it")
        yield home


def _build(
    checkout: Path, state: Path, engine: Engine, *names: str, **variables: str
) -> tuple[dict[str, BuiltImage], str]:
    done = opsctl(
        *("images", "build", *names, "--output", "json"),
        state=state,
        engine=engine.address,
        cwd=checkout,
        **variables,
    )
    assert done.returncode == 0, done.stderr
    found = ImagesBuilt.model_validate_json(done.stdout)
    return {image.name: image for image in found.images}, done.stderr


def test_built_twice_from_one_commit_every_digest_agrees(
    engine: Engine, checkout: Path, state: Path
) -> None:
    names = ("execution", "valkey")
    before = os.umask(0o027)
    try:
        one, _ = _build(checkout, state, engine, *names, OPSCTL_IMAGES=str(state / "one"))
    finally:
        os.umask(before)
    for image in one.values():
        engine.client.images.remove(image.reference)
    elsewhere = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LANG": "C"}
    two, _ = _build(checkout, state, engine, *names, OPSCTL_IMAGES=str(state / "two"), **elsewhere)

    for name in names:
        assert two[name].layers == one[name].layers
        assert two[name].id == one[name].id
        assert two[name].outcome == "built"
        assert two[name].sbom.read_text() == one[name].sbom.read_text()


def test_a_changed_app_is_one_layer_and_leaves_the_others(
    engine: Engine, checkout: Path, state: Path
) -> None:
    names = ("network", "desk", "valkey")
    before, _ = _build(checkout, state, engine, *names)
    assert before["network"].reference.endswith(_git(checkout, "rev-parse", "HEAD")[:12])

    source = checkout / "apps" / "network" / "flow.py"
    source.write_text(source.read_text() + "\n# a change\n")
    dirty, said = _build(checkout, state, engine, *names)
    assert dirty["network"].reference.endswith("-dirty")
    assert dirty["network"].revision == before["network"].revision + "-dirty"
    assert "network: sending 1 layers" in said
    changed = [
        now.slot
        for was, now in zip(before["network"].layers, dirty["network"].layers, strict=True)
        if was != now
    ]
    assert changed == ["app-network"]
    assert [dirty[name].outcome for name in names] == ["built", "unchanged", "unchanged"]

    _git(checkout, "commit", "-qam", "Change the network")
    after, said = _build(checkout, state, engine, *names)
    head = _git(checkout, "rev-parse", "HEAD")
    assert after["network"].revision == head
    assert {image.reference.rpartition(":")[2] for image in after.values()} == {head[:12]}
    # Of another commit by their tag, and yet the same: nothing that runs them restarts.
    assert {name: after[name].id for name in ("desk", "valkey")} == {
        name: before[name].id for name in ("desk", "valkey")
    }


def test_what_git_does_not_know_is_in_no_layer(engine: Engine, checkout: Path, state: Path) -> None:
    stray = checkout / "apps" / "network" / "token.txt"
    stray.write_text(SECRET)
    try:
        built, said = _build(
            *(checkout, state, engine, "network"),
            PIP_INDEX_URL=f"https://robot:{SECRET}@example.invalid/simple",
            OPSCTL_SECRET=SECRET,
        )
    finally:
        stray.unlink()
    assert "apps/network/token.txt is left out" in said

    whole = b"".join(engine.client.images.get(built["network"].reference).save())
    assert SECRET.encode() not in whole
    assert b"apps/network/token.txt" not in whole
    assert b"apps/network/flow.py" in whole
    assert SECRET not in said
    assert SECRET not in built["network"].sbom.read_text()


def test_the_evidence_has_the_digests_and_an_unchanged_build_leaves_none(
    engine: Engine, checkout: Path, state: Path
) -> None:
    _forget(engine, checkout, "alertmanager")
    first, _ = _build(checkout, state, engine, "alertmanager")
    lines = list(evidence.log().read())
    (entry,) = lines[-1].result["images"]
    assert lines[-1].command == "images build"
    assert entry["id"] == first["alertmanager"].id
    assert entry["layers"] == [layer.diff_id for layer in first["alertmanager"].layers]

    again, _ = _build(checkout, state, engine, "alertmanager")
    assert again["alertmanager"].outcome == "unchanged"
    assert len(list(evidence.log().read())) == len(lines)


def test_a_killed_build_goes_on_and_leaves_nothing_half_done(
    engine: Engine, checkout: Path, state: Path
) -> None:
    _forget(engine, checkout, "network")
    layers = _with_base(state)
    environment = {
        **os.environ,
        "OPSCTL_STATE": str(state),
        "OPSCTL_IMAGES": str(layers),
        "DOCKER_HOST": engine.address,
    }
    words = [sys.executable, "-c", MAIN, "images", "build", "network"]
    with subprocess.Popen(words, cwd=checkout, env=environment, stderr=subprocess.PIPE) as killed:
        assert killed.stderr is not None
        for line in killed.stderr:
            if line.startswith(b"dependencies-app: compiling"):
                killed.send_signal(signal.SIGKILL)
                break
        killed.stderr.read()
    assert list((layers / ".staging").iterdir())

    built, _ = _build(checkout, state, engine, "network", OPSCTL_IMAGES=str(layers))

    assert built["network"].outcome == "built"
    assert not list((layers / ".staging").iterdir())
    outcomes = [line.outcome for line in evidence.log().read() if line.command == "images build"]
    assert outcomes == ["interrupted", "done"]


def test_two_builds_at_once_make_a_layer_once(engine: Engine, checkout: Path, state: Path) -> None:
    layers = str(_with_base(state))
    _forget(engine, checkout, "desk")
    environment = {
        **os.environ,
        "OPSCTL_STATE": str(state),
        "OPSCTL_IMAGES": layers,
        "DOCKER_HOST": engine.address,
    }
    words = [sys.executable, "-c", MAIN, "images", "build", "desk", "--output", "json"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(words, cwd=checkout, env=environment, **pipes) for _ in range(2)]
    said = [process.communicate() for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    ids = {json.loads(out)["images"][0]["id"] for out, _ in said}
    assert len(ids) == 1
    compiled = b"".join(err for _, err in said).count(b"dependencies-app: compiling")
    assert compiled == 1


def test_the_list_says_what_is_there_and_from_where(
    engine: Engine, checkout: Path, state: Path, built: dict[str, BuiltImage]
) -> None:
    digest = "sha256:" + "a" * 64
    named = f"docker.io/library/postgres@{digest}"
    (checkout / "Pulumi.mine.yaml").write_text(
        "config:\n  trading:format: 1\n  trading:extends: daily\n"
        f"  trading:images:\n    use:\n      postgres: {named}\n"
    )
    words = ("images", "list", "mine", "--output", "json")
    done = opsctl(*words, state=state, engine=engine.address, cwd=checkout)
    assert done.returncode == 0, done.stderr
    found = {i.name: i for i in ImagesListed.model_validate_json(done.stdout).images}
    assert found["postgres"].origin == "named by the environment"
    assert (found["postgres"].reference, found["postgres"].state) == (named, "absent")
    assert (found["etcd"].origin, found["etcd"].state) == ("built here", "outdated")
    assert found["execution"].services == ("execution", "projector")

    unreachable = opsctl(*words, state=state, engine="unix:///nowhere.sock", cwd=checkout)
    assert unreachable.returncode == 0
    assert {i["state"] for i in json.loads(unreachable.stdout)["images"]} == {"not looked at"}
    assert "not looked at: no Docker Engine answers" in unreachable.stderr


def _with_base(state: Path) -> Path:
    """Return a folder of layers that has the distribution's alone, which takes long to make."""
    layers = state / "layers"
    store.obtain(distribution.recipe(), lambda _: None)
    shutil.copytree(images_folder() / "layers" / "base", layers / "layers" / "base")
    return layers


def _forget(engine: Engine, checkout: Path, name: str) -> None:
    """Take from the engine the image of a name that is of the checked-out commit."""
    tag = _git(checkout, "rev-parse", "HEAD")[:12]
    for image in engine.client.images.list(f"opsctl/{name}:{tag}*"):
        engine.client.images.remove(image.id, force=True)
