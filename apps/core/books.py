"""How the apps reach the books (PostgreSQL)."""

from __future__ import annotations

from typing import Any

import psycopg

from apps.core.settings import BooksSettings

CONNECT_S = 2
STATEMENT_MS = 30_000
"""No statement of an app takes longer; one that does is a fault, not patience."""


async def connect(
    settings: BooksSettings, *, autocommit: bool = True
) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Return a new connection; `psycopg.OperationalError` where there is none to be had.

    A dead server is noticed by TCP keepalives within some 4 s, and a hung statement by
    the server's own timeout.
    """
    return await psycopg.AsyncConnection.connect(
        host=settings.db_host,
        port=settings.db_port,
        dbname=settings.db_name,
        user=settings.db_user,
        password=settings.db_password_file.read_text().strip(),
        connect_timeout=CONNECT_S,
        application_name=settings.service,
        autocommit=autocommit,
        keepalives_idle=2,
        keepalives_interval=1,
        keepalives_count=2,
        options=f"-c statement_timeout={STATEMENT_MS} -c timezone=UTC",
    )
