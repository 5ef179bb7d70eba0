"""What the apps share: their settings class made from the environment, their endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from apps.core.settings import BooksSettings, CoreSettings
from opsctl import __version__
from opsctl.errors import UsageError
from opsctl.model.environment import Environment
from opsctl.model.topology import Link
from opsctl.services import books, etcd, valkey
from opsctl.services.base import Address, ConfigFile, Host, HttpProbe, Scrape, Service
from opsctl.services.links import through

TOKEN = "http-token"  # noqa: S105 - a name

ARCHIVIST = "execution"
"""The app that moves old batches out of the journal, into a folder of its data."""

Given = Mapping[str, object]


def address(name: str, site: str, host: Host) -> Address:
    """Return the operations endpoint of an app."""
    return host.address(name, site, "http")


def bus(site: str, host: Host) -> dict[str, object]:
    """Return the settings with which an app reaches the bus of its site."""
    at = valkey.address(host, site)
    return {"bus_host": at.host, "bus_port": at.port, "bus_password_file": host.secret("bus")}


def journal(environment: Environment, site: str, host: Host) -> dict[str, object]:
    """Return the settings with which an app reaches the journal, and what has left it.

    Its own site's member is asked first, and the others by their links.
    """
    others = [
        through(environment, Link(dialer=site, to=to, kind="journal"), host)
        for to in environment.sites
        if to != site
    ]
    return {
        "journal_identity": host.identity,
        "journal_archive": f"{host.folder(ARCHIVIST, site, 'data')}/archive",
        "journal_endpoints": [str(at) for at in (etcd.address(host, site), *others)],
        "journal_ca_file": host.secret(etcd.CA),
        "journal_cert_file": host.secret(etcd.CLIENT_CERT),
        "journal_key_file": host.secret(etcd.CLIENT_KEY),
    }


JOURNAL_SECRETS = (etcd.CA, etcd.CLIENT_CERT, etcd.CLIENT_KEY)


def service(
    kind: type[CoreSettings],
    environment: Environment,
    site: str,
    host: Host,
    *,
    name: str,
    module: str,
    purpose: str,
    wiring: Given,
    chosen: Given | None = None,
    ports: Mapping[str, int] | None = None,
    waits: tuple[str, ...] = (),
    secrets: tuple[str, ...] = (),
    ready_within_s: int = 60,
    background: bool = False,
) -> Service:
    """Return an app as a service.

    `wiring` is what the place decides (addresses, files); `chosen` what the environment
    decides, which `settings` of the environment file may replace, as any other setting.
    """
    at = address(name, site, host)
    fixed = {
        "environment": environment.name,
        "site": site,
        "service": name,
        "http_host": at.host,
        "http_port": at.port,
        "http_token_file": host.secret(TOKEN),
        **wiring,
    }
    free: Given = {"log_level": environment.log_level, **(chosen or {})}
    files: tuple[ConfigFile, ...] = ()
    variables: dict[str, str] = {}
    if issubclass(kind, BooksSettings):
        fixed |= books.settings(environment, name, site, host)
        files = books.files(environment, site)
        variables = books.variables(environment, site, host)
        waits = tuple(dict.fromkeys((*books.waits(environment, site), *waits)))
        secrets = (*secrets, books.SECRET)
    settings = _settings(kind, name, fixed, free, environment.settings.get(name, {}))
    return Service(
        name=name,
        site=site,
        kind="app",
        purpose=purpose,
        argv=(*host.python(), "-m", module),
        # Other code under the same settings is another service: it is restarted.
        environment={
            "PYTHONUNBUFFERED": "1",
            "OPSCTL_RELEASE": __version__,
            **variables,
            **settings.to_environment(),
        },
        files=files,
        ports={"http": at.port, **(ports or {})},
        waits=waits,
        secrets=(TOKEN, *secrets),
        probe=HttpProbe(at=at, path="/readyz", secret=TOKEN),
        scrape=Scrape(at=at, secret=TOKEN),
        ready_within_s=ready_within_s,
        stop_within_s=8,
        background=background,
    )


def _settings(
    kind: type[CoreSettings], name: str, fixed: Given, free: Given, own: Given
) -> CoreSettings:
    """Return an app's settings; raise `UsageError` naming every fault of the file's own."""
    known = set(kind.model_fields) - set(fixed)
    faults = [
        f"trading:settings.{name}.{key}: "
        + ("is decided by the target" if key in fixed else "is no setting of this app")
        for key in own
        if key not in known
    ]
    try:
        settings = kind.of(**{**free, **{k: v for k, v in own.items() if k in known}, **fixed})
    except ValidationError as error:
        faults += [
            f"trading:settings.{name}.{'.'.join(str(part) for part in fault['loc'])}: "
            f"{fault['msg']}"
            for fault in error.errors()
        ]
    if faults:
        raise UsageError(
            f"the settings of {name} have {len(faults)} fault{'s'[: len(faults) != 1]}",
            hint=f"settings of {name}: {', '.join(sorted(known))}",
            details=faults,
        )
    return settings
