"""What lies beneath containers is broken and mended; engine and kernel say what came of it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from opsctl.deploy import records
from opsctl.images.engine import connect
from opsctl.model.topology import links
from opsctl.services.links import near_end
from opsctl.targets.base import Blow
from opsctl.targets.beneath import Uplink
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.faults import disk
from opsctl.targets.docker.faults.anew import BEFORE
from opsctl.targets.docker.target import DockerTarget
from tests.e2e.conftest import Deployed
from tests.support.servers import wait_for

PYTHON = "/usr/bin/python3.11"
SOON_S = 30.0
DIAL = """
import socket
try:
    socket.create_connection({at!r}, {within_s})
    print("open")
except TimeoutError:
    print("silent")
except OSError as refused:
    print(refused.strerror)
"""
WRITE = """
import os
try:
    os.write(os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), bytes(10_000))
    print("written")
except OSError as full:
    print(full.strerror)
"""
SYNC = """
import os, time
began = time.monotonic()
descriptor = os.open({path!r}, os.O_WRONLY | os.O_CREAT)
for _ in range(3):
    os.write(descriptor, b"x")
    os.fdatasync(descriptor)
print(time.monotonic() - began)
"""


class Box:
    """The container that a service has now."""

    def __init__(self, client: DockerClient, environment: str, key: str) -> None:
        """Name it."""
        self._client, self._name = client, naming.container(environment, key)

    @property
    def attrs(self) -> dict[str, Any]:
        """What the engine says of it."""
        found: dict[str, Any] = self._client.containers.get(self._name).attrs
        return found

    def python(self, code: str) -> str:
        """Run a program in it, and return what it prints."""
        _, said = self._client.containers.get(self._name).exec_run([PYTHON, "-c", code])
        return str(said.decode().strip())


@pytest.fixture
def follower(contained: Deployed, client: DockerClient) -> Box:
    return Box(client, contained.name, "execution@b")


def test_an_uplink_is_reset_silent_and_lossy_and_whole_again(
    contained: Deployed, client: DockerClient, target: DockerTarget
) -> None:
    environment = records.environment(contained.name)
    assert environment is not None
    link = next(one for one in links(environment) if one.name == "b-a-journal")
    at = near_end(environment, link, target.host)
    inside, beneath = Box(client, contained.name, "execution@b"), target.beneath()
    assert beneath.lacks_uplinks() == ""

    def dialled() -> str:
        return inside.python(DIAL.format(at=(at.host, at.port), within_s=1.5))

    try:
        assert dialled() == "open"
        beneath.set_uplink("b", Uplink(reject=True))
        assert dialled() == "Connection refused"
        beneath.set_uplink("b", Uplink(down=True))
        assert dialled() == "silent"
        beneath.set_uplink("b", Uplink(loss_percent=100, loses="to"))
        assert dialled() == "silent"
        beneath.set_uplink("b", Uplink(kbit_per_s=500, loss_percent=1))
    finally:
        beneath.set_uplink("b", Uplink())
    assert dialled() == "open"
    between = Box(client, contained.name, "network@between").attrs["State"]["Pid"]
    listed = subprocess.check_output(
        ["nsenter", f"--net=/proc/{between}/ns/net", "iptables", "-S"], text=True
    )
    assert "drill" not in listed


def test_what_is_written_fails_in_memory_and_on_disk_until_there_is_room(
    target: DockerTarget, follower: Box
) -> None:
    keys = ["execution@b"]

    def written() -> str:
        return follower.python(WRITE.format(path="/tmp/scratch"))

    def bounds() -> set[str]:
        limits = Path(f"/proc/{follower.attrs['State']['Pid']}/limits").read_text().splitlines()
        return {line.split()[3] for line in limits if line.startswith("Max file size")}

    assert target.lacks(keys, Blow.FILL) == target.lacks(keys, Blow.FILL_MEMORY) == ""
    try:
        target.aim(keys, Blow.FILL_MEMORY)()
        assert written() == "No space left on device"
        target.aim(keys, Blow.FILL)()
        assert bounds() == {"0"}
    finally:
        target.aim(keys, Blow.FREE)()
    assert written() == "written"
    assert bounds() == {"unlimited"}


def test_a_volume_with_a_limit_of_its_own_is_really_filled(
    contained: Deployed, client: DockerClient, target: DockerTarget, follower: Box
) -> None:
    key = "writer@b"
    name = naming.container(contained.name, key)
    memory = {"type": "tmpfs", "device": "tmpfs", "o": "size=3m,mode=0777"}
    mine = {naming.ENVIRONMENT: contained.name}
    volume = client.volumes.create(
        naming.data(contained.name, key), driver_opts=memory, labels=mine
    )
    writer = client.containers.run(
        follower.attrs["Image"],
        [PYTHON, "-c", "import signal; signal.pause()"],
        entrypoint=[],
        name=name,
        labels=mine | {naming.SERVICE: key, naming.ROLE: "step"},  # it counts among no services
        network_mode="none",
        volumes={volume.name: {"bind": "/kept"}},
        detach=True,
    )
    box = Box(client, contained.name, key)
    where = Containers(connect(), contained.name, target.host.identity)
    try:
        filling = disk.of_data([(where, box.attrs)])
        assert not filling.pids, "the kernel's limit is for those that have no other"
        filling.fill()
        assert box.python(WRITE.format(path="/kept/file")) == "No space left on device"
        filling.free()
        assert box.python(WRITE.format(path="/kept/file")) == "written"
        assert box.python("import os; print(os.listdir('/kept'))") == "['file']"
    finally:
        writer.remove(force=True)
        volume.remove()


def test_writes_are_slow_that_are_waited_for_and_fast_again(
    target: DockerTarget, follower: Box
) -> None:
    keys, beneath = ["execution@b"], target.beneath()

    def took_s() -> float:
        return float(follower.python(SYNC.format(path="/data/execution@b/synced")))

    if why := beneath.lacks_write_limits(keys):
        assert "no disk" in why or "no limits" in why
        pytest.skip(why)
    before_s = took_s()
    beneath.limit_writes(keys, 8)
    try:
        assert took_s() > max(0.3, before_s)
    finally:
        beneath.limit_writes(keys, 0)
    follower.python("import os; os.unlink('/data/execution@b/synced')")


def test_a_wall_clock_is_off_in_one_container_and_true_again(
    target: DockerTarget, follower: Box
) -> None:
    keys = ["execution@b"]

    def ahead_s() -> float:
        return float(follower.python("import time; print(time.time())")) - time.time()

    before = follower.attrs
    try:
        target.set_clock(keys, 3600)
        assert 3500 < ahead_s() < 3700
        assert BEFORE in follower.attrs["Config"]["Labels"]
        assert target.observe(), "there is one container for each service"
    finally:
        target.set_clock(keys, 0)
    after = follower.attrs
    assert abs(ahead_s()) < 60
    assert sorted(after["Config"].pop("Env")) == sorted(before["Config"].pop("Env"))
    assert after["Config"] == before["Config"]
    assert after["HostConfig"] == before["HostConfig"]
    assert ".drill" not in follower.python("import os; print(os.listdir('/data/execution@b'))")


def test_a_container_with_too_little_memory_is_ended_for_it_again_and_again(
    target: DockerTarget, follower: Box
) -> None:
    keys, beneath = ["execution@b"], target.beneath()
    before = follower.attrs["HostConfig"]["Memory"]
    try:
        beneath.limit_memory(keys, 24)

        def ended_twice() -> bool:
            found = follower.attrs
            return bool(found["RestartCount"] > 1 and found["State"]["OOMKilled"])

        wait_for(ended_twice, "a second end for lack of memory", SOON_S)
    finally:
        beneath.limit_memory(keys, 0)
    assert follower.attrs["HostConfig"]["Memory"] == before
    assert not follower.attrs["State"]["OOMKilled"]


def test_one_that_takes_anothers_place_does_so_though_its_maker_was_killed(
    contained: Deployed, client: DockerClient, target: DockerTarget, follower: Box
) -> None:
    target.set_clock(["execution@b"], 3600)
    name = naming.container(contained.name, "execution@b")
    made = client.containers.get(name)
    made.stop(timeout=1)
    made.rename(name + naming.ANEW)  # as it stands where the other is gone and it has no name yet
    assert "execution@b" in {running.key for running in target.observe()}
    target.set_clock(["execution@b"], 0)
    assert BEFORE not in follower.attrs["Config"]["Labels"]
    assert follower.attrs["State"]["Running"]
    assert not client.containers.list(all=True, filters={"name": naming.ANEW})
