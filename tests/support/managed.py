"""A real PostgreSQL as others run one: in a network of their own, by TLS, with no superuser."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import psycopg
from psycopg import sql

from tests.support import servers, tls_front
from tests.support.process import Process, wait_for
from tests.support.second_host import run

PORT = 5432
MASTER = "opsctl"


@dataclass(frozen=True)
class Managed:
    """A running one; who may make roles and databases on it is `MASTER`."""

    host: str
    """The name or the address that its certificate bears."""
    ca: str
    password: str
    """Of its master."""
    own: servers.PostgresServer
    """The server behind it, as those see it who run it."""

    def rows(self, database: str, asked: str) -> list[tuple[object, ...]]:
        """Return what a database holds, asked by those who run it."""
        dsn = self.own.dsn.replace("dbname=trading", f"dbname={database}")
        with psycopg.connect(dsn) as connection:
            return connection.execute(asked.encode()).fetchall()


@contextlib.contextmanager
def managed(host: str, address: str, namespace: str) -> Iterator[Managed]:
    """Yield one behind a network namespace, from which alone its address is reached, as `host`."""
    password = secrets.token_hex(8)
    with servers.postgres() as own, servers.folder() as home, _behind(namespace, address) as there:
        with psycopg.connect(own.dsn) as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB PASSWORD {}").format(
                    sql.Identifier(MASTER), password
                )
            )
        tls = servers.certificates(home, (host,))
        argv = [sys.executable, str(tls_front.__file__), address, str(PORT), str(own.socket)]
        front = Process([*argv, str(tls.server_cert), str(tls.server_key)], home / "front.log")
        front.behind("nsenter", f"--net=/var/run/netns/{there}")
        front.start()
        try:
            wait_for(lambda: tls_front.LISTENING in front.log(), "the server's front")
            yield Managed(host, tls.ca.read_text(), password, own)
        finally:
            front.stop()


@contextlib.contextmanager
def _behind(namespace: str, address: str) -> Iterator[str]:
    """Yield a namespace that has the address, at the end of a cable to another namespace."""
    name, near = f"books-{os.getpid()}", str(IPv4Address(address) + 1)
    run("ip", "netns", "add", name)
    try:
        ends = (f"ba{os.getpid()}", f"bb{os.getpid()}")
        cable = ("ip", "-n", namespace, "link", "add", ends[0], "type", "veth", "peer", ends[1])
        run(*cable, "netns", name)
        for where, end, at in ((namespace, ends[0], near), (name, ends[1], address)):
            run("ip", "-n", where, "addr", "add", f"{at}/30", "dev", end)
            run("ip", "-n", where, "link", "set", end, "up")
        yield name
    finally:
        run("ip", "netns", "delete", name)
