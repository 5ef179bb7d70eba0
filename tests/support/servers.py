"""Real servers for integration tests, each on free ports of loopback with its own folder.

They are started as the `local` target starts them (same programs, same authentication),
but one at a time, so that an app can be tested with just the servers it needs.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import itertools
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from valkey import Valkey
from valkey.exceptions import ValkeyError

from opsctl.targets.local import ports
from opsctl.toolchain import programs

PORTS = range(10_000, 19_999)
"""Below the kernel's range for outgoing connections, so that a port stays free until it is
bound, and below that of deployed environments."""


_untried = itertools.cycle(random.sample(PORTS, len(PORTS)))


def free_port() -> int:
    """Return a port that nothing listens on, and that this process never returned before."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in itertools.islice(_untried, len(PORTS)):
        if port % workers == worker % workers and ports.free(port):
            return port
    raise RuntimeError(f"no port of {PORTS} is free")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Yield a temporary folder that other accounts may traverse (PostgreSQL refuses root)."""
    path = Path(tempfile.mkdtemp(prefix="opsctl-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wait_for(ready: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Poll until `ready` says so; fail with `what` after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready in {timeout_s} s")
        time.sleep(0.02)


class Process:
    """A process with a log; can be killed and started again as it was."""

    def __init__(
        self,
        argv: list[str],
        log: Path,
        *,
        user: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Prepare; `start` runs it."""
        self._argv, self._log, self._user = argv, log, user
        self._env = env
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, its output appended to the log."""
        with self._log.open("ab") as out:
            self.popen = subprocess.Popen(
                self._argv,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._env,
                cwd=self._log.parent if self._env is None else None,
                user=self._user,
                group="nogroup" if self._user else None,
                extra_groups=[] if self._user else None,
            )

    def behind(self, *words: str) -> None:
        """Run the command behind other words, when it is started next."""
        self._argv = [*words, *self._argv]

    def with_environment(self, more: dict[str, str]) -> None:
        """Add variables, for when it is started next."""
        self._env = {**(os.environ if self._env is None else self._env), **more}

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.popen is not None
        return self.popen.pid

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """End it with a signal, then SIGKILL; return its exit code."""
        if self.popen is None:
            return 0
        self.popen.send_signal(number)
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def log(self) -> str:
        """Return what it printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


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

    @property
    def dsn(self) -> str:
        """How to reach it over loopback."""
        return (
            f"host=127.0.0.1 port={self.port} dbname=trading user=trading password={self.password}"
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


@dataclass(frozen=True)
class Certificates:
    """PEM files of a test authority: CA, server and client."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


def certificates(home: Path) -> Certificates:
    """Make an authority, a server certificate for loopback and a client certificate."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def issue(subject: str, key: ec.EllipticCurvePrivateKey, ca: bool) -> x509.Certificate:
        name = ca_name if ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
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
                x509.SubjectAlternativeName([x509.DNSName("localhost"), loopback]), critical=False
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


@dataclass(frozen=True)
class EtcdServer:
    """A running etcd with mutual TLS: its first member, and where the others are."""

    port: int
    endpoint: str
    certificates: Certificates
    process: Process
    endpoints: tuple[str, ...]
    members: tuple[Process, ...]


@dataclass(frozen=True)
class SmallDisk:
    """A disk of its own in a mount namespace; who `enters` it finds it at `path`.

    The namespace lives as long as the process that holds it, so that a server may die in it
    and come back to its data.
    """

    path: Path
    holder: Process

    @property
    def enters(self) -> tuple[str, ...]:
        """What a command is prefixed with to run where the disk is."""
        return ("nsenter", f"--target={self.holder.pid}", "-U", "-m", "--preserve-credentials")

    @property
    def seen(self) -> Path:
        """The disk as seen from outside."""
        return Path(f"/proc/{self.holder.pid}/root{self.path}")

    @property
    def filler(self) -> Path:
        """The file that takes what was left."""
        return self.seen / "filler"

    def fill(self) -> None:
        """Take all the room that is left."""
        with contextlib.suppress(OSError), self.filler.open("wb") as out:
            while True:
                out.write(bytes(4096))
                out.flush()


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Give a disk in memory, made without root by a user namespace; without those it skips."""
    possible = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    if possible.returncode != 0:
        why = possible.stderr.decode(errors="replace").strip()
        pytest.skip(f"no small disk without user namespaces: {why}")
    with folder() as home:
        mount = f"mount -t tmpfs -o size={megabytes}m tmpfs {home} && exec sleep infinity"
        holder = Process(["unshare", "-Urm", "sh", "-c", mount], home.with_suffix(".log"))
        holder.start()
        disk = SmallDisk(home, holder)

        def mounted() -> bool:
            assert holder.alive, holder.log()
            return os.path.ismount(disk.seen)

        try:
            wait_for(mounted, "a disk in memory")
            yield disk
        finally:
            holder.kill()
            home.with_suffix(".log").unlink()


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
