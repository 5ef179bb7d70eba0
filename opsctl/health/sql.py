"""How opsctl reaches the books of a site."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opsctl.services.base import SqlProbe

if TYPE_CHECKING:
    import psycopg

CONNECT_S = 3
ReadSecret = Callable[[str], str]
"""Takes the name of a secret of the environment and returns the secret."""


def connect(
    at: SqlProbe,
    secret: ReadSecret,
    *,
    within_s: int = CONNECT_S,
    autocommit: bool = False,
    name: str = "opsctl",
) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection to the books; raises `psycopg.Error`.

    By TLS a server has to prove that it is the one of its address, whatever way leads there.
    """
    import psycopg

    from apps.core.books import login

    here = at.at.here
    with _file(at.ca) as ca_file:
        return psycopg.connect(
            **login(
                host=at.at.host,
                port=here.port,
                database=at.database,
                user=at.user,
                password=secret(at.secret),
                ca_file=ca_file,
                through=here.host if here != at.at else "",
                name=name,
                within_s=within_s,
            ),
            autocommit=autocommit,
        )


@contextlib.contextmanager
def _file(content: str) -> Iterator[Path | None]:
    """Have a content in a file for as long as libpq needs to connect: it takes no other."""
    if not content:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".pem") as file:
        file.write(content)
        file.flush()
        yield Path(file.name)
