"""How the books (PostgreSQL) are reached: by the apps, and by the tools that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from apps.core.settings import BooksSettings

CONNECT_S = 3
STATEMENT_MS = 30_000
"""No statement of an app takes longer; one that does is a fault, not patience."""


async def connect(
    settings: BooksSettings, *, autocommit: bool = True
) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Return a new connection of an app; `psycopg.OperationalError` where none is to be had.

    A dead server is noticed by TCP keepalives within some 4 s, and a hung statement by
    the server's own timeout.
    """
    return await psycopg.AsyncConnection.connect(
        **login(
            host=settings.db_host,
            port=settings.db_port,
            database=settings.db_name,
            user=settings.db_user,
            password=settings.db_password_file.read_text().strip(),
            ca_file=settings.db_ca_file,
            name=settings.service,
        ),
        autocommit=autocommit,
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=2,
        options=f"-c statement_timeout={STATEMENT_MS} -c timezone=UTC",
    )


def login(
    *,
    host: str,
    port: int,
    database: str,
    user: str,
    password: str,
    ca_file: Path | None = None,
    through: str = "",
    name: str = "",
    within_s: int = CONNECT_S,
) -> dict[str, Any]:
    """Return the arguments with which psycopg logs in.

    With a CA file the server has to show a certificate of that authority for `host`, and
    nothing is said before; without one the server is this site's own, on its own network.
    `through` is the IP address to connect to where `host` is not reached by its name.
    """
    return {
        "host": host,
        **({"hostaddr": through} if through else {}),
        "port": port,
        "dbname": database,
        "user": user,
        "password": password,
        **({"sslmode": "verify-full", "sslrootcert": str(ca_file)} if ca_file else {}),
        "connect_timeout": within_s,
        "application_name": name,
    }
