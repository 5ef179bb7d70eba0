"""Hosts that are met for the first time, and again: a real sshd at an address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.errors import OpsctlError
from opsctl.images.ssh import CONFIG
from opsctl.infra import meeting
from opsctl.infra.hosts import Host
from opsctl.provision.hostkeys import fingerprint
from tests.e2e.conftest import needed
from tests.support import fleet
from tests.support.fleet import FakeBox, Fleet
from tests.support.second_host import key


@pytest.fixture(scope="module")
def boxes() -> Iterator[Fleet]:
    """A host that answers, and runs no engine."""
    needed(fleet.lacking())
    with fleet.fleet([fleet.Kind()]) as found:
        yield found


@pytest.fixture(autouse=True)
def ssh(boxes: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration of ssh: a key, and no host that it knows."""
    config = tmp_path / "config"
    config.write_text(f"IdentityFile {boxes.home / 'user'}\nIdentitiesOnly yes\n")
    monkeypatch.setenv(CONFIG, str(config))
    return config


def host(box: FakeBox, instance: str = "i-01") -> Host:
    return Host.model_validate(
        {
            "name": "trading-a",
            "site": "a",
            "role": "trading",
            "address": box.address,
            "user": fleet.USER,
            "instance": instance,
        }
    )


def test_the_key_of_a_new_host_is_taken_where_somebody_says_so(boxes: Fleet) -> None:
    (box,) = boxes.boxes
    there = (host(box),)
    with pytest.raises(OpsctlError) as caught:
        meeting.meet("books", there, print, accept=False)
    assert fingerprint(box.host_key) in caught.value.details[0]
    assert "opsctl deploy books --accept-host-keys" in (caught.value.hint or "")
    assert meeting.register("books") == meeting.Register()

    known = meeting.meet("books", there, print, accept=True)
    assert meeting.keys(there, known)["trading-a"].split() == box.host_key.split()[:2]
    # Once known, nothing is asked; another machine of that name is a stranger.
    assert meeting.meet("books", there, print, accept=False) == known
    with pytest.raises(OpsctlError, match="keys are not known here"):
        meeting.meet("books", (host(box, "i-02"),), print, accept=False)


def test_another_machine_at_the_address_of_a_known_one_is_not_waited_for(
    boxes: Fleet, tmp_path: Path
) -> None:
    (box,) = boxes.boxes
    another = " ".join(key(tmp_path / "key").split()[:2])
    with pytest.raises(OpsctlError, match="is not the one that it must have"):
        meeting.await_engine(host(box), another, print)


def test_a_host_that_is_not_ready_in_time_is_named_with_what_it_lacks(
    boxes: Fleet, ssh: Path, tmp_path: Path
) -> None:
    (box,) = boxes.boxes
    known = " ".join(box.host_key.split()[:2])
    with pytest.raises(OpsctlError, match=r"trading-a is not ready: .*no Docker Engine runs there"):
        meeting.await_engine(host(box), known, print, within_s=0)
    key(tmp_path / "stranger")
    ssh.write_text(f"IdentityFile {tmp_path / 'stranger'}\nIdentitiesOnly yes\n")
    with pytest.raises(OpsctlError, match="refuses this user's keys"):
        meeting.await_engine(host(box), known, print, within_s=0)


def test_a_host_that_never_answers_is_named_with_where_to_look(boxes: Fleet) -> None:
    nobody = boxes.boxes[0].address.rpartition(".")[0] + ".250"
    gone = host(boxes.boxes[0]).model_copy(update={"address": nobody})
    with pytest.raises(OpsctlError, match=rf"trading-a \({nobody}\) does not answer"):
        meeting.meet("books", (gone,), print, accept=True, within_s=0)
