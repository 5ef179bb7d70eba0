"""The certificate authority of an environment, and what it issues.

Certificates name 127.0.0.1 and localhost, the addresses that a target gives, and who bears
them, for those that are known by a name. What an apply finds within
`RENEW_BEFORE` of its end is issued anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from opsctl.targets.files import write

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CA = "ca"
LOOPBACK = IPv4Address("127.0.0.1")
VALID_CA = timedelta(days=3650)
VALID = timedelta(days=1825)
RENEW_BEFORE = timedelta(days=90)
BACKDATED = timedelta(minutes=5)
"""Clocks differ by less."""


def ensure(folder: Path, names: Iterable[str], addresses: Sequence[IPv4Address] = ()) -> None:
    """Make sure that the folder holds `NAME.crt` and `NAME.key` for the authority and each name.

    A pair that is incomplete, near its end or lacks an address is issued anew; a new authority
    issues all.
    """
    now = datetime.now(UTC)
    subjects = sorted(set(names) - {CA})
    if not _valid(folder, CA, now):
        for name in (CA, *subjects):
            (folder / f"{name}.crt").unlink(missing_ok=True)
        _issue(folder, CA, now)
    for name in subjects:
        if not (_valid(folder, name, now, addresses) and _signed(folder, name)):
            _issue(folder, name, now, addresses)


def issue_authority(folder: Path, name: str) -> None:
    """Make an authority under a name, unless there is one."""
    now = datetime.now(UTC)
    if not _valid(folder, name, now):
        key = _key()
        _keep(folder, name, key, _authority(key, now))


def expires(folder: Path) -> datetime:
    """Return when the authority that signs ends."""
    from cryptography import x509

    return x509.load_pem_x509_certificate((folder / f"{CA}.crt").read_bytes()).not_valid_after_utc


def _signed(folder: Path, name: str) -> bool:
    """Whether a certificate is of the authority that signs now."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    issuer, found = (
        x509.load_pem_x509_certificate((folder / f"{each}.crt").read_bytes()) for each in (CA, name)
    )
    try:
        found.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _valid(folder: Path, name: str, now: datetime, addresses: Sequence[IPv4Address] = ()) -> bool:
    from cryptography import x509

    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    if not certificate.is_file() or not key.is_file():
        return False
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        return False
    if addresses:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if not set(addresses) <= set(names.get_values_for_type(x509.IPAddress)):
            return False
    return found.not_valid_after_utc - RENEW_BEFORE > now


def _issue(folder: Path, name: str, now: datetime, addresses: Sequence[IPv4Address] = ()) -> None:
    key = _key()
    certificate = _authority(key, now) if name == CA else _leaf(folder, name, key, now, addresses)
    _keep(folder, name, key, certificate)


def _key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _keep(
    folder: Path, name: str, key: EllipticCurvePrivateKey, certificate: x509.Certificate
) -> None:
    """Write a key, then its certificate: a certificate without its key is never there."""
    from cryptography.hazmat.primitives import serialization

    (folder / f"{name}.crt").unlink(missing_ok=True)
    write(
        folder / f"{name}.key",
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
    write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM).decode())


def _authority(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    from cryptography import x509

    # Two of them have different names, so that none is taken for the other while both are there.
    subject = _named(f"opsctl environment authority {token_hex(4)}")
    usage = _usage(signs_certificates=True)
    return (
        _builder(subject, subject, key, now, VALID_CA)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, _sha256())
    )


def _leaf(
    folder: Path,
    name: str,
    key: EllipticCurvePrivateKey,
    now: datetime,
    addresses: Sequence[IPv4Address],
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer = x509.load_pem_x509_certificate((folder / f"{CA}.crt").read_bytes())
    signer = serialization.load_pem_private_key((folder / f"{CA}.key").read_bytes(), None)
    if not isinstance(signer, EllipticCurvePrivateKey):
        raise TypeError(f"{CA}.key holds no key of an elliptic curve")
    named = [
        x509.DNSName("localhost"),
        x509.DNSName(name),
        *(x509.IPAddress(each) for each in (LOOPBACK, *addresses)),
    ]
    # Members of a cluster are each other's clients, so a server's certificate serves as both.
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder(_named(name), issuer.subject, key, now, VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, _sha256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    now: datetime,
    valid: timedelta,
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + valid)
    )


def _named(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _sha256() -> hashes.SHA256:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()
