from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from opsctl.evidence import signing

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen here")


def key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True
    )
    return path


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = key(tmp_path / "operator")
    monkeypatch.setenv("OPSCTL_SSH_KEY", str(made))
    return made


def signers(folder: Path, *keys: str) -> Path:
    path = folder / "signers"
    path.write_text("".join(f"{signing.allowed(each)}\n" for each in keys))
    return path


def test_a_signature_fits_its_content_and_its_signer(operator: Path, tmp_path: Path) -> None:
    made = signing.sign(b"content")
    assert made.unsigned == ""
    assert operator.with_suffix(".pub").read_text().startswith(made.signer)
    trusted = signers(tmp_path, made.signer)
    assert signing.refusal(b"content", made.signature, trusted) is None
    assert "does not fit" in str(signing.refusal(b"other", made.signature, trusted))


def test_a_key_that_nobody_trusts(operator: Path, tmp_path: Path) -> None:
    made = signing.sign(b"content")
    other = key(tmp_path / "other").with_suffix(".pub").read_text().strip()
    refusal = signing.refusal(b"content", made.signature, signers(tmp_path, other))
    assert "does not name" in str(refusal)
    missing = signing.refusal(b"content", made.signature, tmp_path / "nowhere")
    assert "no list of signers" in str(missing)
    assert "does not name" in str(signing.refusal(b"", "nonsense", signers(tmp_path, made.signer)))


def test_a_signature_for_another_purpose_does_not_count(operator: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-n", "file", "-f", str(operator)],
        input=b"content",
        capture_output=True,
        check=True,
    )
    public = operator.with_suffix(".pub").read_text().strip()
    refusal = signing.refusal(b"content", done.stdout.decode(), signers(tmp_path, public))
    assert refusal is not None


def test_a_key_with_a_passphrase_is_never_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSCTL_SSH_KEY", str(key(tmp_path / "locked", "passphrase")))
    assert "has a passphrase" in signing.sign(b"content").unsigned


def test_without_key_or_program_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSCTL_SSH_KEY", str(tmp_path / "none"))
    assert "there is no key" in signing.sign(b"content").unsigned
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "not installed" in signing.sign(b"content").unsigned
    assert "not installed" in str(signing.refusal(b"", "", tmp_path))


def test_the_key_is_the_users_own_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPSCTL_SSH_KEY", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert signing.operator_key() == Path("/home/somebody/.ssh/id_ed25519")
