"""Makes what a site's books need on a PostgreSQL that somebody else runs: a role, a database.

Both bear one name, and the role bears the environment's identity: a server may have those of
many environments, and one that was made for another is never taken over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from opsctl.deploy.administrator import Administrator, read
from opsctl.deploy.change import Wanted
from opsctl.deploy.health import secrets_of
from opsctl.errors import OpsctlError
from opsctl.health.sql import ReadSecret, connect
from opsctl.services.base import SqlProbe
from opsctl.targets.base import Event

if TYPE_CHECKING:
    import psycopg

MAINTENANCE = "postgres"
"""The database that every server has: where an administrator logs in."""
LOCK = "opsctl books"


def usable(at: SqlProbe, secret: ReadSecret) -> bool:
    """Return whether the books' owner can log in to them."""
    import psycopg

    with contextlib.suppress(psycopg.OperationalError), connect(at, secret):
        return True
    return False


def make(at: SqlProbe, administrator: Administrator, password: str, identity: str) -> None:
    """Make the role and the database of a site's books, as far as they are not there.

    The role has this password afterwards. Killed at any point, the next call goes on.

    Raises:
        OpsctlError: the server refuses it, or the role is another environment's.
    """
    import psycopg
    from psycopg import sql

    name, server = sql.Identifier(at.database), f"{at.at}"
    master = at.model_copy(update={"user": administrator.user, "database": MAINTENANCE})
    try:
        with (
            connect(master, lambda _: administrator.password, autocommit=True) as connection,
            _alone(connection),
        ):
            with connection.transaction():
                _role(connection, at, password, identity)
            found = "SELECT FROM pg_database WHERE datname = %s"
            if connection.execute(found, (at.database,)).fetchone() is None:
                connection.execute(
                    sql.SQL(
                        "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'"
                        " LC_COLLATE 'C' LC_CTYPE 'C'"
                    ).format(name, sql.Identifier(at.user))
                )
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    except psycopg.Error as fault:
        raise OpsctlError(
            f"the books of {at.database} cannot be made on {server}: "
            f"{str(fault).strip().partition(chr(10))[0]}",
            hint=f"{administrator.user} has to be able to make roles and databases there",
        ) from fault


def _role(
    connection: psycopg.Connection[tuple[Any, ...]], at: SqlProbe, password: str, identity: str
) -> None:
    from psycopg import sql

    name = sql.Identifier(at.user)
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s", (at.user,)
    ).fetchone()
    if row is not None and row[0] != identity:
        raise OpsctlError(
            f"the role {at.user} on {at.at} is not this environment's: "
            + (f"it bears the identity {row[0]}" if row[0] else "it bears no identity"),
            hint="give this environment another name; or, where nobody needs those books any "
            f"more, drop the database and the role {at.user} there",
        )
    # As the server would keep it: the password itself would come into the server's log.
    kept = connection.pgconn.encrypt_password(
        password.encode(), at.user.encode(), b"scram-sha-256"
    ).decode()
    if row is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(name, identity))
        # Who makes a database for another has to be able to become that other.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, kept))


@contextlib.contextmanager
def _alone(connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[None]:
    """Keep another opsctl from making the same meanwhile; the end of the session lets go."""
    connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (LOCK,))
    yield


class Books:
    """The books of an environment, of which others run the servers, while it is deployed."""

    def __init__(self, wanted: Wanted, identity: str) -> None:
        """Prepare; `heard` makes what is missing. Of books of the environment's own, nothing."""
        self._said, self._identity = wanted.environment.books, identity
        self._secret = secrets_of(wanted.target)
        self._due = {s.site: s.books for s in wanted.services if s.books is not None}

    def heard(self, event: Event) -> None:
        """Make them as soon as a service is ready: the passwords are written down by then."""
        if event.stage == "ready":
            while self._due:
                self._make(*self._due.popitem())

    def _make(self, site: str, at: SqlProbe) -> None:
        if usable(at, self._secret):
            return
        administrator = read(site, self._said[site])
        make(at, administrator, self._secret(at.secret), self._identity)
