"""Real servers for integration tests, each on free ports of loopback with its own folder.

They are started as the `local` target starts them (same programs, same authentication),
but one at a time, so that an app can be tested with just the servers it needs.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from valkey import Valkey
from valkey.exceptions import ValkeyError

from opsctl.toolchain import programs
from tests.support.process import Process as Process
from tests.support.process import folder as folder
from tests.support.process import free_port as free_port
from tests.support.process import wait_for as wait_for
from tests.support.small_disk import SmallDisk
from tests.support.tls_front import tls_front


@dataclass(frozen=True)
class ValkeyServer:
    """A running Valkey."""

    port: int
    password: str
    password_file: Path
    process: Process


@contextlib.contextmanager
def valkey() -> Iterator[ValkeyServer]:
    """Run a Valkey with a password and an append-only file."""
    with folder() as home:
        port, password = free_port(), secrets.token_hex(8)
        (home / "password").write_text(password)
        (home / "valkey.conf").write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {home}\n"
            "appendonly yes\nappendfsync everysec\nsave ''\n"
        )
        program = programs.path("valkey", "valkey-server")
        process = Process([str(program), str(home / "valkey.conf")], home / "log")
        process.start()
        client = Valkey(port=port, password=password)

        def ready() -> bool:
            try:
                return bool(client.ping())
            except ValkeyError:
                return False

        try:
            wait_for(ready, "valkey")
            yield ValkeyServer(port, password, home / "password", process)
        finally:
            client.close()  # type: ignore[no-untyped-call]
            process.stop()


class Postmaster(Process):
    """A PostgreSQL that starts again although processes of a killed one are still leaving."""

    def __init__(self, argv: list[str], log: Path, port: int, *, user: str | None) -> None:
        """Prepare; `start` returns when it listens."""
        super().__init__(argv, log, user=user)
        self._port = port

    def start(self) -> None:
        """Start it, again and again while its predecessor's shared memory is in use."""

        def listens() -> bool:
            if not self.alive:
                super(Postmaster, self).start()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self._port)) == 0

        wait_for(listens, "postgres")


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL with role and database `trading`."""

    port: int
    password: str
    password_file: Path
    process: Process
    ca_file: Path | None = None
    """The authority of its certificate, where it takes no connection without TLS."""

    @property
    def socket(self) -> Path:
        """Its socket, by which it is reached from every network of this machine."""
        return self.password_file.with_name(f".s.PGSQL.{self.port}")

    @property
    def dsn(self) -> str:
        """How to reach it over loopback."""
        tls = f" sslmode=verify-full sslrootcert={self.ca_file}" if self.ca_file else ""
        return (
            f"host=127.0.0.1 port={self.port} dbname=trading user=trading "
            f"password={self.password}{tls}"
        )


@contextlib.contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL; as root under the account `nobody`, since it refuses root."""
    with folder() as home:
        port, password = free_port(), secrets.token_hex(8)
        user = "nobody" if os.geteuid() == 0 else None
        (home / "password").write_text(password)
        data = home / "data"
        if user:
            shutil.chown(home, user)
        subprocess.run(
            [
                str(programs.path("postgresql", "initdb")),
                *("-D", str(data), "-U", "trading", "--auth=scram-sha-256", "--no-sync"),
                f"--pwfile={home / 'password'}",
            ],
            check=True,
            capture_output=True,
            cwd=home,
            user=user,
            group="nogroup" if user else None,
            extra_groups=[] if user else None,
        )
        argv = [
            str(programs.path("postgresql", "postgres")),
            *("-D", str(data), "-p", str(port), "-k", str(home)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", "-c", "jit=off"),
        ]
        process = Postmaster(argv, home / "log", port, user=user)
        process.start()
        server = PostgresServer(port, password, home / "password", process)

        def ready() -> bool:
            try:
                with psycopg.connect(
                    server.dsn.replace("dbname=trading", "dbname=postgres"), autocommit=True
                ) as c:
                    c.execute("CREATE DATABASE trading")
            except psycopg.OperationalError:
                return False
            return True

        try:
            wait_for(ready, "postgres")
            yield server
        finally:
            process.stop(signal.SIGINT)  # fast shutdown


@contextlib.contextmanager
def managed_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL as a cloud manages one: by TLS only, as `localhost` and 127.0.0.1.

    It is reached as 127.0.0.2 too, which its certificate does not name.
    """
    with postgres() as server, folder() as home:
        tls, port = certificates(home), free_port()
        with tls_front(port, server.port, tls.server_cert, tls.server_key):
            yield replace(server, port=port, ca_file=tls.ca)


@dataclass(frozen=True)
class Certificates:
    """PEM files of a test authority: CA, server and client."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


def certificates(home: Path, names: Sequence[str] = ("localhost", "127.0.0.1")) -> Certificates:
    """Make an authority, and certificates of a server of these names and of a client."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def issue(subject: str, key: ec.EllipticCurvePrivateKey, ca: bool) -> x509.Certificate:
        name = ca_name if ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([_general(one) for one in names]), critical=False
            )
            .sign(ca_key, hashes.SHA256())
        )

    def write(name: str, key: ec.EllipticCurvePrivateKey, ca: bool = False) -> tuple[Path, Path]:
        cert_path, key_path = home / f"{name}.crt", home / f"{name}.key"
        cert_path.write_bytes(issue(name, key, ca).public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_path, key_path

    ca_path, _ = write("ca", ca_key, ca=True)
    server = write("server", ec.generate_private_key(ec.SECP256R1()))
    client = write("client", ec.generate_private_key(ec.SECP256R1()))
    return Certificates(ca_path, *server, *client)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class EtcdServer:
    """A running etcd with mutual TLS: its first member, and where the others are."""

    port: int
    endpoint: str
    certificates: Certificates
    process: Process
    endpoints: tuple[str, ...]
    members: tuple[Process, ...]


@contextlib.contextmanager
def etcd(members: int = 1, *options: str, disk: SmallDisk | None = None) -> Iterator[EtcdServer]:
    """Run an etcd of some members; clients need the client certificate.

    `options` are further ones of the program; a `disk` holds the data of all members.
    """
    with folder() as home, contextlib.ExitStack() as started:
        tls = certificates(home)
        clients = [free_port() for _ in range(members)]
        peers = [f"http://127.0.0.1:{free_port()}" for _ in range(members)]
        processes = []
        for at, (client, peer) in enumerate(zip(clients, peers, strict=True)):
            data = (disk.path if disk else home) / f"data{at}"
            argv = [
                *(disk.enters if disk else ()),
                str(programs.path("etcd", "etcd")),
                *("--name", f"m{at}", "--data-dir", str(data), "--log-level", "warn"),
                *("--listen-client-urls", f"https://127.0.0.1:{client}"),
                *("--advertise-client-urls", f"https://127.0.0.1:{client}"),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", ",".join(f"m{n}={url}" for n, url in enumerate(peers))),
                *("--client-cert-auth", "--trusted-ca-file", str(tls.ca)),
                *("--cert-file", str(tls.server_cert), "--key-file", str(tls.server_key)),
                *options,
            ]
            process = Process(argv, home / f"log{at}")
            process.start()
            started.callback(process.stop)
            processes.append(process)

        def ready() -> bool:
            for process, client in zip(processes, clients, strict=True):
                assert process.alive, process.log()
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", client)) != 0:
                        return False
            return True

        wait_for(ready, "etcd")
        endpoints = tuple(f"127.0.0.1:{client}" for client in clients)
        yield EtcdServer(clients[0], endpoints[0], tls, processes[0], endpoints, tuple(processes))
