"""Secrets that are here while a command runs: removed by the last process that used them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from opsctl import borrowed, custody
from opsctl.deploy import lock
from opsctl.state import environment_folder
from tests.unit.test_custody import NAME, FakeBackend, known

USE = f"""
import sys
from opsctl.borrowed import borrow
borrow({NAME!r})
print("uses them", flush=True)
sys.stdin.read()
"""
FILES = known(**{"secrets/bus": "s", "secrets/tls/ca.key": "k", "applied.json": "1"})


def secrets() -> Path:
    return environment_folder(NAME) / "secrets"


def test_a_command_that_looks_leaves_none(state: Path) -> None:
    custody.refresh(NAME, FakeBackend(FILES), lock.idle(NAME))
    assert (secrets() / "bus").read_text() == "s"
    borrowed.give_back(NAME)
    assert not secrets().exists()
    assert (environment_folder(NAME) / "applied.json").exists()


def test_those_that_another_process_uses_stay_until_it_ends(state: Path) -> None:
    custody.refresh(NAME, FakeBackend(FILES), lock.idle(NAME))
    with subprocess.Popen(
        [sys.executable, "-c", USE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "uses them\n"
        borrowed.give_back(NAME)
        assert (secrets() / "bus").exists()
        other.communicate("")
    assert not secrets().exists()


def test_what_is_removed_here_is_not_lost(state: Path) -> None:
    backend = FakeBackend(FILES)
    with lock.held(NAME, "opsctl deploy daily", backend):
        borrowed.give_back(NAME)
        custody.keep(NAME)
        assert backend.files == FILES
    assert backend.files == FILES


def test_whoever_opens_the_target_gets_them_again(state: Path) -> None:
    backend = FakeBackend(FILES)
    custody.refresh(NAME, backend, lock.idle(NAME))
    borrowed.give_back(NAME)
    custody.lend(NAME, lambda: backend)
    assert (secrets() / "tls" / "ca.key").read_text() == "k"
    borrowed.give_back(NAME)


def test_another_environments_secrets_are_not_taken(state: Path) -> None:
    backend = FakeBackend(FILES)
    custody.refresh(NAME, backend, lock.idle(NAME))
    borrowed.give_back(NAME)
    custody.lend(NAME, lambda: FakeBackend(FILES | known("another")))
    assert not secrets().exists()
