"""An authority is changed for another without a moment in which two of its bearers part."""

from __future__ import annotations

import itertools
import shutil
import socket
import ssl
import threading
from pathlib import Path

import pytest

from opsctl.services.base import Service
from opsctl.targets import authority, files, rotation
from opsctl.targets.rotation import STEPS, Rotation, bearing
from opsctl.targets.secrets import Secrets
from tests.unit.deploy.fake import service

NAMES = ("tls/ca.crt", "tls/journal.crt", "tls/journal.key")


def context(folder: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    found = ssl.create_default_context(purpose, cafile=str(folder / "tls/ca.crt"))
    found.verify_mode = ssl.CERT_REQUIRED
    found.load_cert_chain(folder / "tls/journal.crt", folder / "tls/journal.key")
    return found


def accept(server: Path, client: Path) -> bool:
    """Whether a server that was started from one folder and a client from another agree."""
    served: list[bool] = []
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            with context(server, ssl.Purpose.CLIENT_AUTH).wrap_socket(far, server_side=True) as it:
                served.append(it.recv(2) == b"hi")
                it.sendall(b"ho")
        except (ssl.SSLError, OSError):
            served.append(False)
            far.close()

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        dialled = context(client, ssl.Purpose.SERVER_AUTH).wrap_socket(
            near, server_hostname="journal"
        )
        with dialled as it:
            it.sendall(b"hi")
            answered = it.recv(2) == b"ho"
    except (ssl.SSLError, OSError):
        answered = False
        near.close()
    finally:
        serving.join()
    return answered and served == [True]


def snapshot(root: Path, name: str) -> Path:
    shutil.copytree(root, kept := root.with_name(name))
    return kept


@pytest.fixture
def kept(tmp_path: Path) -> list[Path]:
    """What services are started from before a rotation, and after each of its steps."""
    secrets = Secrets(tmp_path / "now")
    secrets.ensure(NAMES)
    found = [snapshot(tmp_path / "now", "0")]
    for number in range(1, len(STEPS) + 1):
        assert secrets.rotation.advance() == STEPS[number - 1]
        secrets.ensure(NAMES)
        found.append(snapshot(tmp_path / "now", str(number)))
    return found


def test_whoever_was_started_before_a_step_and_after_it_accept_one_another(
    kept: list[Path],
) -> None:
    for before, after in itertools.pairwise(kept):
        assert accept(before, after), (before.name, after.name)
        assert accept(after, before), (before.name, after.name)
        assert accept(after, after)


def test_no_step_can_be_left_out(kept: list[Path]) -> None:
    assert not accept(kept[0], kept[2])
    assert not accept(kept[2], kept[0])
    assert not accept(kept[1], kept[3])


def test_the_former_authority_is_trusted_no_more_at_the_end(kept: list[Path]) -> None:
    assert not accept(kept[3], kept[0])
    assert not accept(kept[3], kept[1])
    names = {path.name for path in (kept[3] / "tls").iterdir()}
    assert names == {"ca.crt", "ca.key", "journal.crt", "journal.key", "generation"}
    assert not Rotation(kept[3] / "tls").under_way
    assert Rotation(kept[3] / "tls").generation == len(STEPS)


def test_what_is_issued_stays_while_nothing_is_rotated(kept: list[Path]) -> None:
    before = (kept[3] / "tls/journal.crt").read_bytes()
    Secrets(kept[3]).ensure(NAMES)
    assert (kept[3] / "tls/journal.crt").read_bytes() == before


class Killed(Exception):
    """Stands for a SIGKILL before a file is written."""


@pytest.mark.parametrize("moment", range(1, 12))
def test_a_rotation_that_was_killed_before_any_write_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    secrets = Secrets(tmp_path / "now")
    secrets.ensure(NAMES)
    standing = snapshot(tmp_path / "now", "deployed")
    writes, real = 0, files.write

    def write(path: Path, text: str) -> None:
        nonlocal writes
        writes += 1
        if writes == moment:
            raise Killed
        real(path, text)

    for module in (authority, rotation):
        monkeypatch.setattr(module, "write", write)
    killed = 0
    while True:
        try:
            secrets.ensure(NAMES)  # what every command begins with
            assert accept(tmp_path / "now", standing)
            assert accept(standing, tmp_path / "now")
            shutil.rmtree(standing)
            standing = snapshot(tmp_path / "now", "deployed")
            if secrets.rotation.generation == len(STEPS):
                break
            secrets.rotation.advance()
        except Killed:
            killed += 1
    assert killed == 1, f"a rotation writes fewer than {moment} files"
    assert (tmp_path / "now/tls/ca.crt").read_text().count("BEGIN CERTIFICATE") == 1


def test_a_service_that_bears_a_certificate_is_another_after_a_step() -> None:
    bears = service("etcd").model_copy(update={"secrets": ("bus", "tls/ca.crt")})
    plain = service("valkey").model_copy(update={"secrets": ("bus",)})
    stepped = bearing((bears, plain), 2)
    assert [s.certificates for s in stepped] == [2, 0]
    assert stepped[0].digest() != bears.digest()
    assert bearing((bears,), 0) == (bears,)
    assert Service.model_validate_json(stepped[0].model_dump_json()) == stepped[0]
    assert "certificates" not in bears.model_dump()
