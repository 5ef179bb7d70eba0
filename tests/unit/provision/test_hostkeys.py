"""Host keys: the inventory's goes first, what is pinned stays, a run has a file of its own."""

from __future__ import annotations

import stat
from pathlib import Path

from opsctl.provision import hostkeys, places
from opsctl.provision.hostkeys import HostKey
from tests.support.second_host import key
from tests.unit.provision.test_failing import HOST


def test_what_is_pinned_is_known_and_is_not_replaced() -> None:
    assert hostkeys.known([HOST]) == {}
    hostkeys.pin({HOST.place: HostKey(key="ssh-ed25519 AAAA", fingerprint="")})
    assert hostkeys.known([HOST]) == {"[10.1.0.11]:2222": "ssh-ed25519 AAAA"}
    hostkeys.pin({HOST.place: HostKey(key="ssh-ed25519 BBBB", fingerprint="")})
    assert hostkeys.known([HOST]) == {"[10.1.0.11]:2222": "ssh-ed25519 AAAA"}
    assert stat.S_IMODE(places.known_hosts().stat().st_mode) == 0o600


def test_the_inventorys_key_goes_before_what_is_pinned() -> None:
    hostkeys.pin({HOST.place: HostKey(key="ssh-ed25519 AAAA", fingerprint="")})
    told = HOST.model_copy(update={"host_key": "ssh-ed25519 CCCC"})
    assert hostkeys.known([told]) == {HOST.place: "ssh-ed25519 CCCC"}


def test_a_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    found = hostkeys.fingerprint(key(tmp_path / "key"))
    assert found.startswith("SHA256:")
    assert found.endswith("(ED25519)")


def test_a_place_without_a_server_offers_nothing() -> None:
    nobody = HOST.model_copy(update={"address": "127.0.0.1", "port": 1})
    assert hostkeys.offered([nobody]) == {"[127.0.0.1]:1": None}
