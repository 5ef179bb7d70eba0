from __future__ import annotations

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import bcrypt
import pytest
from cryptography import x509

from opsctl.errors import OpsctlError
from opsctl.targets import authority
from opsctl.targets.secrets import Secrets

TLS = ("tls/ca.crt", "tls/etcd.crt", "tls/etcd.key")


def made(folder: Path, *names: str) -> Secrets:
    secrets = Secrets(folder / "secrets")
    secrets.ensure(names)
    return secrets


def test_a_secret_is_made_once_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = made(tmp_path, "db", "bus").read("db")
    again = made(tmp_path, "db", "s3-access")
    assert again.read("db") == first
    assert len({again.read("db"), again.read("bus")}) == 2
    assert len(first) == 48
    for path in (tmp_path / "secrets").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_a_secret_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpsctlError, match="the secret db cannot be read"):
        Secrets(tmp_path).read("db")


def test_a_text_is_filled_in_with_secrets_and_hashes_that_stay_the_same(tmp_path: Path) -> None:
    secrets = made(tmp_path, "db", "web")
    text = 'password = "{{secret:db}}"; hash = {{bcrypt:web}}; {{ $labels.job }}'
    first = secrets.fill_in(text)
    assert secrets.fill_in(text) == first
    assert secrets.read("db") in first
    assert "{{ $labels.job }}" in first
    hashed = first.partition("hash = ")[2].partition(";")[0]
    assert bcrypt.checkpw(secrets.read("web").encode(), hashed.encode())


def test_services_of_two_sites_get_one_hash_when_prepared_at_once(tmp_path: Path) -> None:
    secrets = made(tmp_path, "web")
    together = threading.Barrier(8)

    def prepared(_: int) -> str:
        together.wait()
        return secrets.fill_in("{{bcrypt:web}}")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(prepared, range(8)))) == 1


def test_a_secret_that_changed_gets_another_hash(tmp_path: Path) -> None:
    secrets = made(tmp_path, "web")
    before = secrets.fill_in("{{bcrypt:web}}")
    secrets.path("web").write_text("another")
    after = secrets.fill_in("{{bcrypt:web}}")
    assert after != before
    assert bcrypt.checkpw(b"another", after.encode())


def test_no_secret_is_shown(tmp_path: Path) -> None:
    secrets = made(tmp_path, "db", *TLS)
    assert secrets.hidden(f"role {secrets.read('db')}!", ("db", *TLS)) == "role ***!"


def test_certificates_are_of_one_authority_and_pass_verification(tmp_path: Path) -> None:
    made(tmp_path, *TLS, "tls/journal.crt", "tls/journal.key")
    tls = tmp_path / "secrets" / "tls"
    authority_certificate = x509.load_pem_x509_certificate((tls / "ca.crt").read_bytes())
    for name in ("etcd", "journal"):
        certificate = x509.load_pem_x509_certificate((tls / f"{name}.crt").read_bytes())
        certificate.verify_directly_issued_by(authority_certificate)
        context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
        context.load_cert_chain(tls / f"{name}.crt", tls / f"{name}.key")  # the key fits


def test_certificates_are_kept_until_they_near_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, *TLS)
    path = tmp_path / "secrets" / "tls" / "etcd.crt"
    first = path.read_bytes()
    made(tmp_path, *TLS)
    assert path.read_bytes() == first
    monkeypatch.setattr(authority, "RENEW_BEFORE", authority.VALID + timedelta(days=1))
    made(tmp_path, *TLS)
    assert path.read_bytes() != first


@pytest.mark.parametrize("lost", ["ca.crt", "ca.key"])
def test_a_new_authority_issues_everything_anew(tmp_path: Path, lost: str) -> None:
    made(tmp_path, *TLS)
    tls = tmp_path / "secrets" / "tls"
    before = (tls / "etcd.crt").read_bytes()
    (tls / lost).unlink()
    made(tmp_path, *TLS)
    assert (tls / "etcd.crt").read_bytes() != before
    certificate = x509.load_pem_x509_certificate((tls / "etcd.crt").read_bytes())
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate((tls / "ca.crt").read_bytes())
    )


def test_a_damaged_certificate_is_issued_anew(tmp_path: Path) -> None:
    made(tmp_path, *TLS)
    path = tmp_path / "secrets" / "tls" / "etcd.crt"
    path.write_text("half a certificate")
    made(tmp_path, *TLS)
    assert x509.load_pem_x509_certificate(path.read_bytes())
