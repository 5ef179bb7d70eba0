"""The price-source reader: raw rows, both schemas, faults named by line."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from apps.core.prices import Day, PriceSource, SourceError, bundled, open_source


def source(folder: Path, text: str, name: str = "p.csv") -> PriceSource:
    path = folder / name
    path.write_text(text)
    return open_source(str(path))


def test_bundled_prices_are_the_real_ones() -> None:
    days = list(bundled().days())
    assert len(days) == 8313
    assert days[0].day == date(1990, 1, 2)
    assert days[0].closes["AAPL"] == "0.264"
    assert len(days[0].closes) == 20
    assert [d.seq for d in days] == list(range(8313))
    assert days[-1].day == date(2022, 12, 28)


def test_bundled_is_the_entry_point_and_does_not_import_skfolio() -> None:
    code = (
        "import sys; from apps.core.prices import open_source;"
        "next(iter(open_source('prices').days()));"
        "sys.exit(any(m.split('.')[0] in ('skfolio', 'pandas', 'numpy') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_days_from_a_sequence_keep_their_numbers() -> None:
    assert next(bundled().days(5000)) == next(itertools.islice(bundled().days(), 5000, None))
    assert list(bundled().days(10**6)) == []


def test_wide_rows_pass_through_as_found(tmp_path: Path) -> None:
    text = "Date,AAA,BBB\n2020-01-02,1.50, -3\n\n2020-01-01,oops,\n"
    assert list(source(tmp_path, text).days()) == [
        Day(0, date(2020, 1, 2), {"AAA": "1.50", "BBB": " -3"}),
        Day(1, date(2020, 1, 1), {"AAA": "oops", "BBB": ""}),
    ]


def test_long_rows_become_days(tmp_path: Path) -> None:
    text = "symbol,Date,close\nA,2020-01-02,1\nB,2020-01-02,2\nA,2020-01-03,NaN\n"
    assert list(source(tmp_path, text).days()) == [
        Day(0, date(2020, 1, 2), {"A": "1", "B": "2"}),
        Day(1, date(2020, 1, 3), {"A": "NaN"}),
    ]


def test_compressed_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(b"date,A\n2020-01-02,1\n"))
    assert list(open_source(str(path)).days()) == [Day(0, date(2020, 1, 2), {"A": "1"})]


@pytest.mark.parametrize(
    "select",
    [
        "SELECT DATE '2020-01-02' AS date, 1.5 AS A, NULL::DOUBLE AS B",
        "SELECT TIMESTAMP '2020-01-02 00:00:00' AS date, '1.5' AS A, '' AS B",
    ],
)
def test_parquet(tmp_path: Path, select: str) -> None:
    path = tmp_path / "p.parquet"
    duckdb.connect().execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    assert list(open_source(str(path)).days()) == [Day(0, date(2020, 1, 2), {"A": "1.5", "B": ""})]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("day,A\n2020-01-02,1\n", "no column `date`"),
        ("", "no column `date`"),
        ("date,A\n2020-01-02,1\n2020-13-01,1\n", "line 3: '2020-13-01' is no date"),
        ("date,A\n2020-01-02,1,2\n", "line 2: 3 columns, the first line has 2"),
        ("date,A,A\n2020-01-02,1,2\n", "['A']"),
        ("date,symbol,close\n2020-01-03,A,1\n2020-01-02,A,1\n", "line 3: 2020-01-02 after"),
        ("date,symbol,close\n2020-01-03,A,1\n2020-01-03,A,1\n", "line 3: A twice"),
        ("date,symbol,close\n2020-01-03,,1\n", "line 2: no symbol"),
        ('date,A\n2020-01-02,"1\n', "unexpected end of data"),
    ],
)
def test_what_cannot_be_placed_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(source(tmp_path, text).days())
    assert says in str(caught.value)


def test_torn_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(b"date,A\n" + b"2020-01-02,1\n" * 50)[:-10])
    with pytest.raises(SourceError, match=r"p\.csv\.gz"):
        list(open_source(str(path)).days())


@pytest.mark.parametrize("name", ["nowhere", "/nonexistent/p.csv", "p.xlsx"])
def test_unknown_sources_say_what_is_known(name: str) -> None:
    with pytest.raises(SourceError, match=r"no such file|known: .*prices"):
        open_source(name)
