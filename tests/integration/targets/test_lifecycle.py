"""An environment of real servers through its life: again, changed, killed, destroyed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from valkey.exceptions import ValkeyError

from opsctl.errors import DeployFailed, OpsctlError
from opsctl.model.environment import Environment
from opsctl.services.base import Host, Service, Step
from opsctl.targets.base import Action, Blow
from opsctl.targets.local import LocalTarget, processes
from opsctl.targets.local.ports import free
from tests.integration.targets import stage
from tests.integration.targets.stage import Stage
from tests.support.process import freeze
from tests.support.servers import folder, wait_for

HELD = ["one"]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Hold one environment for this module; each test leaves it as it may."""
    with pytest.MonkeyPatch.context() as patch, folder() as made:
        patch.setenv("OPSCTL_STATE", str(made))
        yield made
        Stage(stage.keepers).down()


@pytest.fixture
def kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The servers that keep data, up, with one value in each of them."""
    monkeypatch.setenv("OPSCTL_STATE", str(home))
    found = Stage(stage.keepers)
    new = not (found.folder / "data").exists()
    found.up()
    if new:
        found.write_everywhere("one")
    assert found.read_everywhere() == (HELD, HELD, HELD)
    return found


def changed(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return the servers, one of them with another setting."""
    postgres, valkey, etcd = stage.keepers(environment, host)
    (config,) = valkey.files
    louder = config.model_copy(update={"content": config.content + "latency-tracking no\n"})
    return (postgres, valkey.model_copy(update={"files": (louder,)}), etcd)


def broken(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return the servers, one of them with a setting that it refuses."""
    postgres, valkey, etcd = stage.keepers(environment, host)
    (config,) = valkey.files
    wrong = config.model_copy(update={"content": config.content + "no-such-setting yes\n"})
    return (postgres, valkey.model_copy(update={"files": (wrong,)}), etcd)


def test_a_second_apply_has_nothing_to_do_and_is_quick(kept: Stage) -> None:
    before = kept.pids()
    began = time.monotonic()
    assert kept.plan().empty
    assert time.monotonic() - began < 0.6
    assert kept.up() == []
    assert kept.pids() == before


def test_a_changed_setting_restarts_that_service_alone(kept: Stage) -> None:
    before = kept.pids()
    after = Stage(changed)
    assert [(c.name, c.action) for c in after.plan().changes] == [("valkey@a", Action.RESTART)]
    events = after.up()
    assert {event.service for event in events} == {"valkey@a"}
    assert [event.stage for event in events] == ["stopping", "stopped", "starting", "ready"]
    now = after.pids()
    assert now.pop("valkey@a") != before.pop("valkey@a")
    assert now == before
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_a_service_that_is_no_longer_wanted_is_stopped_and_its_data_kept(kept: Stage) -> None:
    fewer = Stage(lambda environment, host: stage.keepers(environment, host)[:1])
    assert {event.stage for event in fewer.up()} == {"stopping", "stopped"}
    assert set(fewer.pids()) == {"postgres@a"}
    kept.up()
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_a_killed_service_comes_back_by_itself(kept: Stage) -> None:
    before = kept.pids()
    for key in ("valkey@a", "etcd@a", "postgres@a"):
        pid = before[key]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        seen = kept.target.observe()
        return all(s.state == "running" and s.pid != before[s.key] for s in seen)

    wait_for(back, "the killed services")

    def answers() -> bool:
        try:
            return kept.read_everywhere() == (HELD, HELD, HELD)
        except (psycopg.Error, ValkeyError, subprocess.CalledProcessError):
            return False

    wait_for(answers, "their data")
    assert kept.plan().empty


def test_what_still_ends_as_it_is_brought_up_is_started_when_it_has_ended(
    kept: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept.pids()
    kept.target.aim(["valkey@a"], Blow.FREEZE)()  # it does not end before it is killed
    with monkeypatch.context() as killed:  # before its last blow
        killed.setattr(LocalTarget, "aim", lambda *_: lambda: None)
        kept.target.keep_down(["valkey@a", "etcd@a"])
    kept.target.bring_up(["valkey@a", "etcd@a"])
    after = kept.pids()
    for key in ("valkey@a", "etcd@a"):
        assert after[key] not in (None, before[key])
    assert after["postgres@a"] == before["postgres@a"]


def test_everything_killed_at_once_comes_back_with_its_data(kept: Stage) -> None:
    for _ in range(3):
        kept.kill_all()
        assert {seen.state for seen in kept.target.observe()} == {"stopped"}
        events = kept.up()
        assert {e.service for e in events if e.stage == "ready"} == set(kept.pids())
        assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_nothing_outlives_its_supervisor(kept: Stage) -> None:
    pid = int((kept.folder / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not kept.processes(), "the services' end")
    kept.up()
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_a_supervisor_that_hangs_is_replaced(kept: Stage) -> None:
    pid = int((kept.folder / "supervisord.pid").read_text())
    freeze(pid)
    assert {seen.state for seen in kept.target.observe()} == {"stopped"}
    kept.up()
    assert int((kept.folder / "supervisord.pid").read_text()) != pid
    assert processes.process(pid) is None
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_a_supervisor_of_another_configuration_is_replaced(kept: Stage) -> None:
    (kept.folder / "secrets" / "supervisord").write_text("another password")
    assert {c.action for c in kept.plan().changes} == {Action.RESTART}
    before = kept.pids()
    kept.up()
    assert not set(kept.pids().values()) & set(before.values())
    assert kept.read_everywhere() == (HELD, HELD, HELD)
    assert kept.plan().empty


def test_a_recycled_pid_is_never_killed(kept: Stage) -> None:
    kept.kill_all()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (kept.folder / "supervisord.pid").write_text(f"{stranger.pid}\n")
        kept.up()
        kept.down()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_service_that_refuses_its_settings_fails_with_its_own_words(kept: Stage) -> None:
    before = kept.pids()
    with pytest.raises(DeployFailed) as failed:
        Stage(broken).up()
    assert failed.value.message.startswith("valkey@a ended at its start")
    assert any("no-such-setting" in line for line in failed.value.details)
    now = kept.pids()
    assert (now["postgres@a"], now["etcd@a"]) == (before["postgres@a"], before["etcd@a"])
    assert [(c.name, c.action) for c in kept.plan().changes] == [("valkey@a", Action.START)]
    kept.up()
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_a_port_of_a_stranger_is_found_before_anything_starts(kept: Stage) -> None:
    port = kept.port("valkey@a", "bus")
    kept.down(keep_data=True)
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(OpsctlError, match="in use by others") as refused:
            kept.up()
        assert kept.processes() == ()
    assert refused.value.details[0].startswith(f"{port} (valkey@a/bus): pid {os.getpid()}")
    kept.up()
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_a_lost_secret_of_prepared_data_is_named(kept: Stage) -> None:
    secret = kept.folder / "secrets" / "db"
    elsewhere = secret.rename(kept.folder / "db")
    kept.kill_all()
    with pytest.raises(OpsctlError, match="the secret db of postgres@a is gone"):
        kept.up()
    elsewhere.rename(secret)
    kept.up()


def test_destroy_leaves_no_process_no_port_and_no_file(kept: Stage) -> None:
    ports = [port for s in kept.target.services() for port in s.ports.values()]
    events = kept.down()
    assert {e.service for e in events if e.stage == "stopped"} == {
        *("postgres@a", "valkey@a", "etcd@a"),
    }
    assert kept.processes() == ()
    assert all(free(port) for port in ports)
    assert not kept.folder.exists()
    assert kept.down() == []


def test_destroy_finds_what_a_dead_supervisor_left(kept: Stage) -> None:
    pid = int((kept.folder / "supervisord.pid").read_text())
    running = kept.processes()
    os.kill(pid, signal.SIGKILL)
    kept.down()
    assert processes.ended(running, 0) == ()
    assert not kept.folder.exists()


def test_data_that_was_kept_is_there_after_the_next_deployment(kept: Stage) -> None:
    ports = {s.key: s.ports for s in kept.target.services()}
    kept.down(keep_data=True)
    assert {p.name for p in kept.folder.iterdir()} == {"data", "secrets", "ports.json", "identity"}
    events = kept.up()
    assert not [e for e in events if e.stage == "preparing"]
    assert {s.key: s.ports for s in kept.target.services()} == ports
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_two_environments_stand_side_by_side(kept: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {port for s in kept.target.services() for port in s.ports.values()}
    other = stage.ENVIRONMENT.model_copy(update={"name": "other"})
    with monkeypatch.context() as patch:
        patch.setattr(stage, "ENVIRONMENT", other)
        beside = Stage(stage.keepers)
        try:
            beside.up()
            assert not mine & {p for s in beside.target.services() for p in s.ports.values()}
        finally:
            beside.down()
    assert kept.read_everywhere() == (HELD, HELD, HELD)


def test_files_are_private_and_no_secret_is_on_a_command_line(kept: Stage) -> None:
    secrets = [
        path.read_text().strip()
        for path in (kept.folder / "secrets").rglob("*")
        if path.is_file() and path.suffix not in (".crt", ".key")
    ]
    for process in kept.processes():
        seen = processes.command_of(process.pid)
        seen += "".join(processes.environment_of(process.pid).values())
        assert not [secret for secret in secrets if secret in seen]
    for path in (kept.folder / "secrets", kept.folder / "etc", kept.folder / "logs"):
        for file in path.rglob("*"):
            if file.is_file():
                assert file.stat().st_mode & 0o077 == 0, file
    for log in (kept.folder / "logs").glob("*"):
        text = log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], log


KILLED = """
from tests.integration.targets import stage
stage.Stage(stage.keepers).up()
"""


@pytest.mark.parametrize("round_", range(4))
def test_an_apply_killed_at_any_instant_is_continued(state: Path, round_: int) -> None:
    found = Stage(stage.keepers)
    try:
        killed = subprocess.Popen([sys.executable, "-c", KILLED], start_new_session=True)
        at_s = random.Random(round_).uniform(0.3, 3.0)
        try:
            killed.wait(at_s)
        except subprocess.TimeoutExpired:
            killed.kill()
            killed.wait()
        found.up()
        found.write_everywhere("one")
        assert found.read_everywhere() == (HELD, HELD, HELD)
        assert found.plan().empty
    finally:
        found.down()
    assert not found.folder.exists()


def test_a_step_that_was_killed_half_way_is_cleared_and_done_again(state: Path) -> None:
    found = Stage(stage.keepers)
    half = found.folder / "data" / "postgres@a" / "cluster"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    for shared in (found.folder / "data", found.folder / "data" / "postgres@a"):
        shared.chmod(0o711)
    try:
        assert ("postgres@a", "initdb") in {
            (e.service, e.detail) for e in found.up() if e.stage == "preparing"
        }
        found.write_everywhere("one")
    finally:
        found.down()


def test_a_step_that_fails_shows_its_output_without_secrets(state: Path) -> None:
    def failing(environment: Environment, host: Host) -> tuple[Service, ...]:
        (valkey,) = stage.keepers(environment, host)[1:2]
        step = Step(name="load", argv=("/bin/sh", "-c", "cat; exit 3"), stdin="pw {{secret:bus}}\n")
        return (valkey.model_copy(update={"setup": (step,)}),)

    found = Stage(failing)
    try:
        with pytest.raises(DeployFailed, match="valkey@a: load failed with status 3") as failed:
            found.up()
        assert failed.value.details == ("pw ***",)
    finally:
        found.down()
