"""The books of a site: in its own PostgreSQL, or in one that somebody else runs."""

from __future__ import annotations

from collections.abc import Iterable

from opsctl.model.books import database
from opsctl.model.environment import Environment
from opsctl.services import postgres
from opsctl.services.base import Address, ConfigFile, Host, Service, SqlProbe

SECRET = "db"  # noqa: S105 - a name
CA_FILE = "books-ca.pem"


def settings(environment: Environment, app: str, site: str, host: Host) -> dict[str, object]:
    """Return the settings with which an app reaches the books of its site."""
    login = {"db_password_file": host.secret(SECRET)}
    elsewhere = environment.books.get(site)
    if elsewhere is None:
        at = postgres.address(host, site)
        own = {"db_name": postgres.DATABASE, "db_user": postgres.ROLE}
        return {"db_host": at.host, "db_port": at.port, **own, **login}
    name = database(environment, site)
    return {
        "db_host": elsewhere.host,
        "db_port": elsewhere.port,
        "db_name": name,
        "db_user": name,
        "db_ca_file": f"{host.folder(app, site, 'config')}/{CA_FILE}",
        **login,
    }


def files(environment: Environment, site: str) -> tuple[ConfigFile, ...]:
    """Return the files that an app needs to reach the books of its site."""
    elsewhere = environment.books.get(site)
    return () if elsewhere is None else (ConfigFile(path=CA_FILE, content=elsewhere.ca),)


def waits(environment: Environment, site: str) -> tuple[str, ...]:
    """Return the services that come before what reaches the books of a site."""
    return () if site in environment.books else (postgres.NAME,)


def elsewhere(environment: Environment, site: str) -> SqlProbe | None:
    """Return how the books of a site are reached that somebody else runs; None: nobody does."""
    at = environment.books.get(site)
    if at is None:
        return None
    name = database(environment, site)
    return SqlProbe(
        at=Address(host=at.host, port=at.port),
        user=name,
        database=name,
        secret=SECRET,
        ca=at.ca,
    )


def probes(services: Iterable[Service]) -> dict[str, SqlProbe]:
    """Return, by site, how the books are reached that these services write."""
    found = ((each.site, each.books or each.probe) for each in services)
    return {site: probe for site, probe in found if isinstance(probe, SqlProbe)}
