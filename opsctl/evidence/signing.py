"""Signatures with the operator's SSH key, by `ssh-keygen -Y`; never asks for anything.

The key is `$OPSCTL_SSH_KEY`, else `~/.ssh/id_ed25519`, and must have no passphrase.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from opsctl.model.value import Value

NAMESPACE = "opsctl-evidence"
"""Keeps these signatures from passing as signatures of anything else."""
PRINCIPAL = "operator"
TIMEOUT_S = 10.0


class Signature(Value):
    """A signature and the public key that made it; or `unsigned`, which says why not."""

    signature: str = ""
    signer: str = ""
    unsigned: str = ""


def operator_key() -> Path:
    """Return where the operator's key would be."""
    named = os.environ.get("OPSCTL_SSH_KEY")
    return Path(named).expanduser() if named else Path("~/.ssh/id_ed25519").expanduser()


def sign(content: bytes) -> Signature:
    """Return the signature of the operator's key over these bytes."""
    key = operator_key()
    if shutil.which("ssh-keygen") is None:
        return Signature(unsigned="ssh-keygen is not installed")
    if not key.is_file():
        return Signature(unsigned=f"there is no key {key}")
    public = _run(["-y", "-P", "", "-f", str(key)])
    if public is None or public.returncode != 0:
        return Signature(unsigned=f"{key} has a passphrase, or others may read it")
    signed = _run(["-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key)], content)
    if signed is None or signed.returncode != 0:
        return Signature(unsigned=f"ssh-keygen could not sign with {key}")
    bare = " ".join(public.stdout.decode().split()[:2])
    return Signature(signature=signed.stdout.decode(), signer=bare)


def allowed(signer: str) -> str:
    """Return the line by which an allowed-signers file names a public key."""
    return f'{PRINCIPAL} namespaces="{NAMESPACE}" {signer}'


def refusal(content: bytes, signature: str, signers: Path) -> str | None:
    """Return why a signature over these bytes is not good; None where it is.

    `signers` is an allowed-signers file of OpenSSH.
    """
    if shutil.which("ssh-keygen") is None:
        return "ssh-keygen is not installed, so the signature could not be checked"
    if not signers.is_file():
        return f"there is no list of signers {signers}"
    with tempfile.TemporaryDirectory(prefix="opsctl-") as folder:
        path = Path(folder) / "signature"
        path.write_text(signature, encoding="utf-8")
        found = _run(["-Y", "find-principals", "-s", str(path), "-f", str(signers)])
        if found is None or found.returncode != 0 or not found.stdout.strip():
            return f"it was made by a key that {signers} does not name"
        principal = found.stdout.decode().splitlines()[0]
        words = ["-Y", "verify", "-n", NAMESPACE, "-I", principal]
        checked = _run([*words, "-f", str(signers), "-s", str(path)], content)
    if checked is None or checked.returncode != 0:
        return "it does not fit what it should sign"
    return None


def _run(words: list[str], content: bytes = b"") -> subprocess.CompletedProcess[bytes] | None:
    # A session of its own has no terminal to ask on.
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "SSH_ASKPASS")}
    try:
        return subprocess.run(
            ["ssh-keygen", *words],
            input=content,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
            start_new_session=True,
            env={**environment, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
