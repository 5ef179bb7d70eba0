"""The books of a site where somebody else runs their PostgreSQL. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from opsctl.model.faults import Path
from opsctl.model.value import Value

if TYPE_CHECKING:
    from opsctl.model.environment import Environment

PORT = 5432
_CERTIFICATE = r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*"

_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+")

_ARN = r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+"


class BooksAt(Value):
    """A PostgreSQL that is reached by TLS, and proves by its certificate who it is."""

    host: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$")] = Field(
        description="the name or the IPv4 address that its certificate bears"
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(PORT, description="its port")
    ca: Annotated[str, Field(pattern=rf"^({_CERTIFICATE})+$")] = Field(
        description="PEM of the authorities that its certificate may be of"
    )
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = Field(
        "opsctl", description="who may make roles and databases on it"
    )
    password_file: Annotated[str, Field(pattern=r"^([~/][^\n\r]*)?$")] = Field(
        "",
        description="file of that one's password where opsctl runs; empty: the database is there",
    )
    secret: Annotated[str, Field(pattern=rf"^({_ARN})?$")] = Field(
        "",
        description="ARN of a secret of AWS with user and password instead, as RDS keeps it",
    )

    @model_validator(mode="after")
    def _has_one_administrator(self) -> Self:
        if self.secret and self.password_file:
            raise ValueError("password_file and secret are two administrators: write one")
        return self


Books = dict[str, BooksAt]


def faults(environment: Environment) -> Iterator[tuple[Path, str]]:
    """Yield the setting and what is wrong with what is said of the books of sites."""
    named, sites = environment.books, environment.trading_sites
    for site, at in named.items():
        if site not in sites:
            yield (site,), f"is no site that trades: {', '.join(sites)}"
        if environment.target == "docker" and _LOOPBACK.fullmatch(at.host):
            yield (
                (site, "host"),
                f"{at.host} is each container itself: name the server as other machines do",
            )
    missing = [site for site in sites if site not in named]
    if named and missing:
        yield (missing[0],), "is missing: the books of all sites are others', or of none"


def database(environment: Environment, site: str) -> str:
    """Return the name of a site's database on a server of others, and of the role that owns it.

    One server may have those of both sites, and of several environments.
    """
    return f"{environment.name}_{site}".replace("-", "_")
