"""Environments of this machine for tests: brought up, looked at, killed, taken away."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psycopg
from valkey import Valkey

from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.services import alertmanager, etcd, postgres, prometheus, seaweedfs, valkey
from opsctl.services.base import Host, Service
from opsctl.state import environment_folder
from opsctl.targets.base import Event, Plan, difference
from opsctl.targets.local import LocalTarget, processes
from opsctl.targets.local.processes import Process
from opsctl.toolchain import programs

Catalogue = Callable[[Environment, Host], tuple[Service, ...]]

ENVIRONMENT = Environment(name="stage", tier=LatencyTier.DAILY, dr=DrTier.COLD)


def keepers(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return the servers that keep data and are quick to start."""
    return tuple(made.service(environment, "a", host) for made in (postgres, valkey, etcd))


def servers(environment: Environment, host: Host) -> tuple[Service, ...]:
    """Return every server of a site."""
    own = (
        *keepers(environment, host),
        seaweedfs.service(environment, "a", host),
        alertmanager.service(environment, "a", host),
    )
    return (*own, prometheus.service(environment, "a", host, own))


@dataclass(frozen=True)
class Stage:
    """One environment; each call opens its target anew, as each command does."""

    makers: Catalogue

    @property
    def target(self) -> LocalTarget:
        """The target, opened anew."""
        return LocalTarget(ENVIRONMENT, self.makers)

    @property
    def folder(self) -> Path:
        """The environment's folder."""
        return environment_folder(ENVIRONMENT.name)

    def plan(self) -> Plan:
        """Return what an apply would do."""
        target = self.target
        return difference(ENVIRONMENT.name, target.services(), target.observe())

    def up(self) -> list[Event]:
        """Bring it to what it should be, checked first."""
        target = self.target
        wanted = target.services()
        plan = difference(ENVIRONMENT.name, wanted, target.observe())
        target.preflight(wanted)
        return list(target.apply(plan, wanted))

    def down(self, *, keep_data: bool = False) -> list[Event]:
        """Take it away."""
        return list(self.target.destroy(keep_data=keep_data))

    def pids(self) -> dict[str, int | None]:
        """Return the pid of every service."""
        return {seen.key: seen.pid for seen in self.target.observe()}

    def processes(self) -> tuple[Process, ...]:
        """Return every process of the environment, supervisord among them."""
        identity = self.folder / "identity"
        if not identity.exists():
            return ()
        own = {
            str(programs.path(package, binary).resolve())
            for package, binary in (("postgresql", "postgres"), ("valkey", "valkey-server"))
        }
        return processes.of_environment(identity.read_text().strip(), self.folder / "data", own)

    def kill_all(self) -> None:
        """Kill every process at once, as a loss of power does."""
        running = self.processes()
        for process in running:
            process.end(signal.SIGKILL)
        assert processes.ended(running, 5) == ()

    def secret(self, name: str) -> str:
        """Return a secret."""
        return Path(self.target.host.secret(name)).read_text().strip()

    def port(self, key: str, name: str) -> int:
        """Return a port of a service."""
        return next(s.ports[name] for s in self.target.services() if s.key == key)

    @contextmanager
    def books(self, password: str | None = None) -> Iterator[psycopg.Connection]:
        """Open the database over loopback."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port("postgres@a", "sql"),
            user="trading",
            dbname="trading",
            password=password or self.secret("db"),
            connect_timeout=5,
        ) as connection:
            yield connection

    @contextmanager
    def bus(self, password: str | None) -> Iterator[Valkey]:
        """Open the bus."""
        client = Valkey(port=self.port("valkey@a", "bus"), password=password, socket_timeout=5)
        try:
            yield client
        finally:
            client.close()  # type: ignore[no-untyped-call]

    def etcdctl(self, *words: str, certificate: str | None = "journal") -> str:
        """Run etcdctl against the journal; raise where it is refused."""
        tls = Path(self.target.host.secret("tls"))
        pair = ("--cert", tls / f"{certificate}.crt", "--key", tls / f"{certificate}.key")
        done = subprocess.run(
            [
                programs.path("etcd", "etcdctl"),
                *("--endpoints", f"https://127.0.0.1:{self.port('etcd@a', 'client')}"),
                *("--cacert", tls / "ca.crt", *(pair if certificate else ())),
                *("--dial-timeout", "2s", "--command-timeout", "2s"),
                *words,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def write_everywhere(self, value: str) -> None:
        """Put a value into every server that keeps data."""
        with self.books() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
            connection.execute("INSERT INTO kept VALUES (%s)", [value])
        with self.bus(self.secret("bus")) as client:
            client.xadd("kept", {"value": value})
            client.execute_command("WAITAOF", 1, 0, 5000)  # type: ignore[no-untyped-call]
        self.etcdctl("put", f"/kept/{value}", value)

    def read_everywhere(self) -> tuple[list[str], list[str], list[str]]:
        """Return the values that every server holds."""
        with self.books() as connection:
            rows = [str(row[0]) for row in connection.execute("SELECT value FROM kept")]
        with self.bus(self.secret("bus")) as client:
            entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange("kept"))
        keys = self.etcdctl("get", "/kept/", "--prefix", "--print-value-only").split()
        return rows, [fields[b"value"].decode() for _, fields in entries], keys
