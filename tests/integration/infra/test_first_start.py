"""What a host in a cloud does with its volume when it is started first, on real disks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks.aws.login import VOLUME
from tests.e2e.conftest import needed
from tests.support.second_host import run
from tests.support.servers import folder

NAME = "nvme-Amazon_Elastic_Block_Store_vol"
BYTES = 16 << 20


def lacking() -> str:
    if os.geteuid() != 0:
        return "disks are made by root only"
    if not Path("/dev/loop-control").exists():
        return "this kernel has no loop devices"
    return "" if shutil.which("mkfs.ext4") else "there is no mkfs.ext4: apt-get install e2fsprogs"


@contextlib.contextmanager
def disk(home: Path, name: str) -> Iterator[str]:
    image = home / f"{name}.img"
    image.touch()
    os.truncate(image, BYTES)
    device = run("losetup", "--find", "--show", str(image)).strip()
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


@pytest.fixture
def disks() -> Iterator[tuple[Path, str, str]]:
    """The folder of the disks' names, the disk that a host booted from, and its data's."""
    needed(lacking())
    with folder() as home, disk(home, "root") as root, disk(home, "data") as data:
        names = home / "by-id"
        names.mkdir()
        for suffix in ("", "-part1"):
            (names / f"{NAME}0a{suffix}").symlink_to(root)
        (names / f"{NAME}0b").symlink_to(data)
        yield names, root, data


def started(names: Path) -> list[str]:
    script = f"set -eu\n{VOLUME}echo $disk $id >&3"
    done = subprocess.run(
        ["sh", "-c", f"exec 3>&1 >/dev/null\n{script}"],
        env={**os.environ, "BY_ID": str(names)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def kind(device: str) -> str:
    done = subprocess.run(
        ["blkid", "-p", "-o", "value", "-s", "TYPE", device],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def test_a_new_volume_gets_a_file_system_and_keeps_it(disks: tuple[Path, str, str]) -> None:
    names, root, data = disks
    found, id_ = started(names)
    assert Path(found).resolve() == Path(data)
    assert (kind(data), kind(root)) == ("ext4", "")
    assert started(names) == [found, id_]


def test_what_is_on_a_volume_already_is_never_made_anew(disks: tuple[Path, str, str]) -> None:
    names, _, data = disks
    run("mkswap", data)
    started(names)
    assert kind(data) == "swap"
