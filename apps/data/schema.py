"""The tables of the data app; forward only, see `apps.core.migrations`."""

from __future__ import annotations

from typing import LiteralString

OWNER = "data"

STEPS: tuple[LiteralString, ...] = (
    """
    CREATE TABLE instruments (
        symbol text PRIMARY KEY,
        mic text NOT NULL,
        tick numeric NOT NULL,
        lot int NOT NULL,
        currency text NOT NULL
    );
    CREATE TABLE closes (
        seq int NOT NULL,
        day date NOT NULL,
        symbol text NOT NULL,
        price numeric(18, 4) NOT NULL CHECK (price > 0),
        event_ns bigint NOT NULL,
        stored_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (symbol, day)
    ) PARTITION BY RANGE (day);
    CREATE INDEX closes_seq ON closes (seq);
    CREATE TABLE quarantine (
        id bigserial PRIMARY KEY,
        source text NOT NULL,
        seq int NOT NULL,
        day text NOT NULL,
        symbol text NOT NULL,
        raw text NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        -- A record whose commit was in doubt is written again: it counts once.
        nth int NOT NULL DEFAULT 0,
        UNIQUE (at, source, seq, nth)
    );
    CREATE INDEX quarantine_reason ON quarantine (reason, seq);
    CREATE TABLE feed_position (
        source text PRIMARY KEY,
        seq int NOT NULL
    );
    """,
)


def partition(year: int) -> str:
    """Return the statement that makes the partition of a year."""
    return (
        f"CREATE TABLE IF NOT EXISTS closes_{year:04d} PARTITION OF closes"
        f" FOR VALUES FROM ('{year:04d}-01-01') TO ('{year + 1:04d}-01-01')"
    )
