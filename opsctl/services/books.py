"""The books of a site: in its own PostgreSQL, or in one that somebody else runs."""

from __future__ import annotations

from collections.abc import Iterable

from opsctl.model.books import database
from opsctl.model.environment import Environment
from opsctl.model.topology import OUTSIDE, Link, links, relay_of
from opsctl.services import postgres
from opsctl.services.base import Address, ConfigFile, Host, Service, SqlProbe
from opsctl.services.links import NETWORK, through

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
        "db_port": _entrance(environment, site, host).port,
        "db_name": name,
        "db_user": name,
        "db_ca_file": f"{host.folder(app, site, 'config')}/{CA_FILE}",
        **login,
    }


def variables(environment: Environment, site: str, host: Host) -> dict[str, str]:
    """Return the variables by which libpq comes to a server that its name does not lead to.

    It has to prove that it is the one of that name all the same.
    """
    elsewhere = environment.books.get(site)
    if elsewhere is None:
        return {}
    at = _entrance(environment, site, host).host
    return {} if at == elsewhere.host else {"PGHOSTADDR": at}


def _entrance(environment: Environment, site: str, host: Host) -> Address:
    """Return where an app of a site connects to the server of others."""
    return through(environment, _link(site), host)


def _link(site: str) -> Link:
    return Link(dialer=site, to=OUTSIDE, kind="books")


def files(environment: Environment, site: str) -> tuple[ConfigFile, ...]:
    """Return the files that an app needs to reach the books of its site."""
    elsewhere = environment.books.get(site)
    return () if elsewhere is None else (ConfigFile(path=CA_FILE, content=elsewhere.ca),)


def waits(environment: Environment, site: str) -> tuple[str, ...]:
    """Return the services that come before what reaches the books of a site."""
    if site not in environment.books:
        return (postgres.NAME,)
    led = _link(site) in links(environment)
    return (f"{NETWORK}@{relay_of(environment, site)}",) if led else ()


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
