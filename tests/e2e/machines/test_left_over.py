"""What crashed runs, other people and other environments left under our names in an engine."""

from __future__ import annotations

import signal

import pytest
from docker import DockerClient

from opsctl.targets.docker import naming
from tests.e2e.machines.machine import NAME, Machine
from tests.e2e.machines.test_custody import left


def test_what_a_killed_deploy_left_is_found_and_removed_without_its_state(
    first: Machine, second: Machine, engine: DockerClient
) -> None:
    killed = first.stopped_at("^starting", signal.SIGKILL, "deploy", NAME, "--no-verify")
    killed.communicate()
    (found,) = second.json("env", "list")["found"]
    assert (found["environment"], found["has_state"], found["held_by"]) == (NAME, True, "")
    assert found["identity"] == (first.copy / "identity").read_text().strip()
    engine.volumes.get(naming.state(NAME)).remove()
    (found,) = second.json("env", "list")["found"]
    assert not found["has_state"]
    assert found["containers"] > 0
    (second.project / f"Pulumi.{NAME}.yaml").unlink()
    _, err = second.run("status", NAME, code=2)
    assert "few is not deployed, but something of it is in the engine" in err
    assert "opsctl destroy few removes it" in err
    second.run("destroy", NAME, "--yes")
    assert left(engine) == []
    assert second.json("env", "list")["found"] == []


def test_kept_data_is_taken_up_by_any_machine_and_never_by_another_environment(
    first: Machine, second: Machine, engine: DockerClient
) -> None:
    first.deploy()
    first.run("destroy", NAME, "--keep-data", "--yes")
    assert naming.data(NAME, "postgres@a") in left(engine)
    identity = (first.copy / "identity").read_text()
    second.deploy()
    assert (second.copy / "identity").read_text() == identity
    second.run("destroy", NAME, "--keep-data", "--yes")
    # Without its state nobody knows the secrets that open it.
    engine.volumes.get(naming.state(NAME)).remove()
    before = left(engine)
    second.run("env", "forget", NAME)
    _, err = second.run("deploy", NAME, "--no-verify", code=1)
    assert "the secrets that open it are lost" in err
    # And to a machine that knows another environment of the name it is a stranger's.
    (first.copy / "identity").write_text("another-environment\n")
    _, err = first.run("deploy", NAME, "--no-verify", code=1)
    assert "is another environment (identity" in err
    assert left(engine) == before
    second.run("destroy", NAME, "--yes")
    assert left(engine) == []


@pytest.mark.parametrize("kind", ["container", "network", "volume", "state", "lock"])
def test_a_strangers_thing_of_our_name_is_refused_before_anything_is_made(
    first: Machine, engine: DockerClient, kind: str
) -> None:
    image = engine.images.list()[0]
    made = {
        "container": lambda: engine.containers.create(
            image, ["x"], name=naming.container(NAME, "etcd@a")
        ),
        "network": lambda: engine.networks.create(naming.network(NAME, "a"), internal=True),
        "volume": lambda: engine.volumes.create(naming.data(NAME, "valkey@a")),
        "state": lambda: engine.volumes.create(naming.state(NAME)),
        "lock": lambda: engine.containers.create(image, ["x"], name=naming.lock(NAME)),
    }[kind]()
    try:
        _, err = first.run("deploy", NAME, "--no-verify", code=1)
        assert f"named {made.name} is there already" in err
        assert f"{made.name}" in err.partition("hint:")[2]
        assert left(engine) == []
    finally:
        made.remove()


def test_a_first_deploy_that_fails_leaves_nothing_but_data_that_was_there(
    first: Machine, engine: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("BROKEN", "1")
        _, err = first.run("deploy", NAME, "--no-verify", code=1)
    assert "what was started is stopped again" in err
    assert left(engine) == []
    first.deploy()
    first.run("destroy", NAME, "--keep-data", "--yes")
    kept = left(engine)
    with monkeypatch.context() as patch:
        patch.setenv("BROKEN", "1")
        first.run("deploy", NAME, "--no-verify", code=1)
    assert set(left(engine)) >= set(kept)
    first.deploy()
    first.run("destroy", NAME, "--yes")
    assert left(engine) == []
