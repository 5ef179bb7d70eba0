"""Which processes are known to be of an environment whose state folder is gone, and end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsctl.targets.local.orphans import AT, EXPIRES, NAME, OWNER, end, marks, orphans
from opsctl.targets.local.processes import MARK, children, process
from tests.support.process import wait_for
from tests.unit.deploy.fake import environment

ENDS = "2027-01-31T17:00:00.000000Z"
TREE = "env -i sleep 456781 & wait"
"""A server, one of whose processes has overwritten its variables."""


class Started:
    """A process that bears what it is given, and its identity."""

    def __init__(self, bears: dict[str, str], **how: Any) -> None:
        """Start it."""
        self.identity = str(uuid.uuid4())
        self.popen = subprocess.Popen(
            ["sh", "-c", TREE],
            env={"PATH": os.environ["PATH"], MARK: self.identity, **bears},
            start_new_session=True,
            **how,
        )
        pid = self.popen.pid
        wait_for(lambda: bool(children().get(pid)), "its child")
        self.child = process(children()[pid][0])

    @property
    def found(self) -> bool:
        """Whether it is known as an orphan."""
        return self.identity in {one.identity for one in orphans()}


@pytest.fixture
def start() -> Iterator[Any]:
    """Start processes; end what is left of them."""
    started: list[Started] = []

    def begin(bears: dict[str, str], **how: Any) -> Started:
        started.append(Started(bears, **how))
        return started[-1]

    yield begin
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.popen.pid, signal.SIGKILL)
        one.popen.wait()


@pytest.fixture
def bears(tmp_path: Path) -> dict[str, str]:
    """What the processes of an environment bear whose folder is not there."""
    known = environment("pr-1", ephemeral={"owner": "acme/books", "expires": ENDS})
    return marks(known, tmp_path / "environments/pr-1")


def test_all_that_came_of_it_ends(start: Any, bears: dict[str, str]) -> None:
    one, other = start(bears), start({**bears, NAME: "pr-2"})
    (known,) = (each for each in orphans() if each.identity == one.identity)
    assert (known.environment, known.ephemeral.owner) == ("pr-1", "acme/books")
    assert one.child.alive
    end(known)
    assert one.popen.wait(10) == -signal.SIGTERM
    assert not one.child.alive
    assert not one.found
    assert other.child.alive  # another identity
    assert other.found


def test_what_has_its_folder_is_none(start: Any, bears: dict[str, str]) -> None:
    one = start(bears)
    root = Path(bears[AT])
    root.mkdir(parents=True)
    (root / "identity").write_text(f"{one.identity}\n")
    assert not one.found
    (root / "identity").write_text("of another that has the name by now\n")
    assert one.found


@pytest.mark.parametrize("lacking", [NAME, OWNER, EXPIRES, AT])
def test_what_does_not_say_all_is_none(start: Any, bears: dict[str, str], lacking: str) -> None:
    assert not start({name: each for name, each in bears.items() if name != lacking}).found


def test_what_stays_bears_nothing_and_what_is_no_moment_is_none(
    start: Any, bears: dict[str, str], tmp_path: Path
) -> None:
    assert marks(environment("daily"), tmp_path) == {}
    assert not start({**bears, EXPIRES: "tomorrow"}).found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts what is another user's")
def test_what_is_another_users_is_none(start: Any, bears: dict[str, str]) -> None:
    assert not start(bears, user=65534, group=65534, extra_groups=[]).found
