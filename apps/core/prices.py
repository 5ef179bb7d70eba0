"""Where prices come from: daily closes, row by row, as raw text.

A source hands on what it found and judges nothing: an unparsable, negative or absurd
close is passed through, and the data app normalizes or quarantines it. What a source does
refuse is a file without a time axis (no date, ragged rows), because nothing after such a
line can be placed; the error names the file and the line.

Sources are entry points of the group `opsctl.prices` (a callable without arguments that
returns a `PriceSource`) or files with one of two declared schemas:

- wide: a column `date`, then one column a symbol; one row a day;
- long: columns `date`, `symbol`, `close` in any order; rows of a day stand together and
  days ascend.

Dates are ISO 8601 (`2010-01-04`); column names `date`, `symbol` and `close` are found in
any case. Files are `.csv`, `.csv.gz` or `.parquet`. Rows are streamed: memory does not
grow with the file.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, TextIO, cast, runtime_checkable

GROUP = "opsctl.prices"
LONG = ("date", "symbol", "close")
SUFFIXES = (".csv", ".csv.gz", ".parquet")
_FETCH_ROWS = 1_000

Row = tuple[int, Sequence[str]]
"""A row with the number that its file calls it by: the line of a CSV, the row of a Parquet."""


class SourceError(Exception):
    """A price source cannot be used: the message says which, where in it, and why."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a source.

    `seq` counts the source's days from 0 and is the market-data sequence everywhere;
    `closes` maps symbols to closing prices exactly as found (an empty cell is "").
    """

    seq: int
    day: date
    closes: dict[str, str]


@runtime_checkable
class PriceSource(Protocol):
    """Daily closes in the order of their days."""

    @property
    def name(self) -> str:
        """What the source is called in logs and in the quarantine."""
        ...

    def days(self, start_seq: int = 0) -> Iterator[Day]:
        """Return the days from a sequence on; raise `SourceError` at what cannot be placed."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """A CSV or Parquet file with one of the two declared schemas."""

    path: Path
    name: str

    def days(self, start_seq: int = 0) -> Iterator[Day]:
        """Return the days from a sequence on."""
        with _rows(self.path) as (header, rows):
            columns = [column.strip().lower() for column in header]
            if "date" not in columns:
                raise SourceError(
                    f"{self.name}: no column `date`; the first line must name the columns"
                    " (wide: date and one a symbol; long: date, symbol, close)"
                )
            read = _long if sorted(columns) == sorted(LONG) else _wide
            yield from itertools.islice(read(self.name, header, columns, rows), start_seq, None)


def bundled() -> PriceSource:
    """Return the closes of 20 S&P 500 stocks, 1990-2022, that the skfolio package carries.

    Found without importing the package, which takes seconds and 150 MB.
    """
    found = importlib.util.find_spec("skfolio")
    folders = (found.submodule_search_locations if found else None) or ()
    for folder in folders:
        path = Path(folder) / "datasets" / "data" / "sp500_dataset.csv.gz"
        if path.exists():
            return FileSource(path, "prices")
    raise SourceError("prices: the skfolio package with its data set is not installed")


def open_source(name: str) -> PriceSource:
    """Return a source by the name of its entry point, or by the path of a file."""
    if name.endswith(SUFFIXES):
        path = Path(name).expanduser()
        if not path.is_file():
            raise SourceError(f"{name}: no such file")
        return FileSource(path, path.name)
    known = entry_points(group=GROUP)
    for entry in known.select(name=name):
        source = entry.load()()
        if not isinstance(source, PriceSource):
            raise SourceError(f"{name}: {entry.value} does not return a price source")
        return source
    names = ", ".join(sorted(known.names)) or "none"
    raise SourceError(
        f"{name}: neither an entry point of {GROUP} (known: {names})"
        f" nor a file that ends in {', '.join(SUFFIXES)}"
    )


def _wide(
    name: str, header: Sequence[str], columns: list[str], rows: Iterable[Row]
) -> Iterator[Day]:
    at = columns.index("date")
    symbols = [column.strip() for column in header]
    if twice := {s for s in symbols if not s or symbols.count(s) > 1}:
        raise SourceError(f"{name}: column names must be given, and once: {sorted(twice)}")
    for seq, (line, row) in enumerate(rows):
        day = _day(name, line, row, len(symbols), at)
        closes = {s: cell for i, (s, cell) in enumerate(zip(symbols, row, strict=True)) if i != at}
        yield Day(seq, day, closes)


def _long(
    name: str, header: Sequence[str], columns: list[str], rows: Iterable[Row]
) -> Iterator[Day]:
    at, symbol_at, close_at = (columns.index(column) for column in LONG)
    seq, current, closes = 0, date.min, dict[str, str]()
    for line, row in rows:
        day = _day(name, line, row, len(header), at)
        symbol = row[symbol_at].strip()
        if day < current:
            raise SourceError(f"{name}, line {line}: {day} after {current}; sort the rows by date")
        if day > current:
            if closes:
                yield Day(seq, current, closes)
                seq += 1
            current, closes = day, {}
        if not symbol or symbol in closes:
            fault = f"{symbol} twice on {day}" if symbol else "no symbol"
            raise SourceError(f"{name}, line {line}: {fault}")
        closes[symbol] = row[close_at]
    if closes:
        yield Day(seq, current, closes)


def _day(name: str, line: int, row: Sequence[str], width: int, at: int) -> date:
    if len(row) != width:
        raise SourceError(f"{name}, line {line}: {len(row)} columns, the first line has {width}")
    text = row[at].strip()
    try:
        # A Parquet timestamp at midnight is a date too.
        return date.fromisoformat(text.removesuffix(" 00:00:00").removesuffix("T00:00:00"))
    except ValueError as fault:
        raise SourceError(f"{name}, line {line}: {text!r} is no date such as 2010-01-04") from fault


@contextmanager
def _rows(path: Path) -> Iterator[tuple[Sequence[str], Iterator[Row]]]:
    """Open a file; yield its column names and its rows."""
    if path.name.endswith(".parquet"):
        with _parquet(path) as opened:
            yield opened
        return
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with cast("TextIO", opener(path, "rt", encoding="utf-8-sig", newline="")) as text:
            reader = csv.reader(text, strict=True)
            header = next(reader, [])
            # Blank lines are no rows; `line_num` stays the line of the file.
            yield header, ((reader.line_num, row) for row in reader if row)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as fault:
        raise SourceError(f"{path}: {fault}") from fault


@contextmanager
def _parquet(path: Path) -> Iterator[tuple[Sequence[str], Iterator[Row]]]:
    try:
        import duckdb
    except ImportError as fault:
        raise SourceError(f"{path}: reading Parquet needs the duckdb package") from fault
    connection = duckdb.connect(config={"threads": 1, "memory_limit": "64MB"})
    try:
        query = "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet(?)"
        result = connection.execute(query, [str(path)])
        header = [str(column[0]) for column in result.description]
        batches = iter(lambda: result.fetchmany(_FETCH_ROWS), [])
        rows = itertools.chain.from_iterable(batches)
        yield header, ((n, ["" if c is None else c for c in row]) for n, row in enumerate(rows, 1))
    except duckdb.Error as fault:
        raise SourceError(f"{path}: {fault}") from fault
    finally:
        connection.close()
