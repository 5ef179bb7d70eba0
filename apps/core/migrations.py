"""Schema migrations of the apps: each owns its tables, and its schema only moves forward.

An app lists its steps, oldest first; a released step is never changed, a new one is
appended. `schema_versions` remembers how many of an owner's steps were applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import AsyncConnection

_LOCK = 7_220_931_177_406_583_412
"""An advisory lock of ours: two apps that start at once migrate one after the other."""


class SchemaTooNew(Exception):
    """The tables were made by a later release than this one: run that release, or a newer."""


async def migrate(
    connection: AsyncConnection[Any], owner: str, steps: Sequence[LiteralString]
) -> int:
    """Apply the steps of `owner` that the database has not seen; return how many were applied.

    All of them are applied in one transaction, so that a crash leaves the former schema.
    A step may hold several statements. Raises `SchemaTooNew` where the database is ahead.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_versions"
            " (owner text PRIMARY KEY, version int NOT NULL)"
        )
        found = await connection.execute(
            "SELECT version FROM schema_versions WHERE owner = %s", (owner,)
        )
        row = await found.fetchone()
        applied = int(row[0]) if row else 0
        if applied > len(steps):
            raise SchemaTooNew(
                f"the tables of {owner} are at version {applied}; this release knows {len(steps)}"
            )
        for step in steps[applied:]:
            await connection.execute(step)
        await connection.execute(
            "INSERT INTO schema_versions (owner, version) VALUES (%s, %s)"
            " ON CONFLICT (owner) DO UPDATE SET version = EXCLUDED.version",
            (owner, len(steps)),
        )
    return len(steps) - applied
