"""Reading a recorded run: typed lines, a file at a time; nothing else is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import msgspec
from pydantic import ValidationError

from apps.core.records import JournalRecord
from opsctl.drills import drop_copy
from opsctl.drills.outcome import Drilled
from opsctl.drills.recording import files
from opsctl.drills.recording.files import Window
from opsctl.drills.task import Line
from opsctl.errors import OpsctlError


class Journaled(msgspec.Struct, frozen=True):
    """One record of the journal, the epoch that wrote it, and who wrote for it."""

    index: int
    epoch: int
    writer: str
    record: JournalRecord


class VenueLine(msgspec.Struct, frozen=True, gc=False):
    """One line of the venue's own record, as far as an order's life needs it."""

    kind: str
    at_ns: int
    cl_ord_id: str = ""
    orig_cl_ord_id: str = ""
    session: str = ""
    maker: bool = False
    symbol: str = ""
    side: str = ""
    qty: int = 0
    price: Decimal = Decimal(0)
    leaves_qty: int = 0
    day: str = ""
    exec_id: str = ""
    reason: str = ""
    text: str = ""


class BookRow(msgspec.Struct, frozen=True, gc=False):
    """One row of a site's books; `table` says of which."""

    table: str
    when: str = ""
    index: int = 0
    id: str = ""
    order_id: str = ""
    symbol: str = ""
    side: str = ""
    qty: int = 0
    price: Decimal = Decimal(0)
    state: str = ""
    cum_qty: int = 0
    reason: str = ""
    day: str = ""
    exec_id: str = ""
    journal_index: int = 0
    settled: bool = False


class Told(msgspec.Struct, frozen=True, gc=False):
    """One execution that a drop copy told of: the FIX message as it came, and what it says."""

    fix: str
    day: str = ""
    exec_id: str = ""
    side: str = ""
    order: str = ""
    symbol: str = ""
    qty: int = 0
    price: Decimal = Decimal(0)

    @classmethod
    def of(cls, fix: str) -> Told:
        """Return a message with what it says; a torn one says nothing."""
        found = drop_copy.parse("", [fix.encode()]).executions
        for (day, exec_id, side), one in found.items():
            return cls(fix, day, exec_id, side, one.order, one.symbol, one.qty, one.price)
        return cls(fix)


class Happened(msgspec.Struct, frozen=True, gc=False):
    """One moment of the run."""

    at_ns: int
    what: str


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a service's log."""

    at_ns: int
    service: str
    text: str


@dataclass(frozen=True)
class Naming:
    """What finds the lines that may name one of some orders, without decoding them."""

    prefix: bytes
    """What all of the orders begin with."""
    pattern: re.Pattern[bytes]
    also: bytes = b""
    """What a line may hold instead."""

    def among(self, some: bytes) -> bytes:
        """Return the lines of a piece that may be such; most pieces have none."""
        if self.prefix not in some and not (self.also and self.also in some):
            return b""
        return b"".join(raw for raw in some.splitlines(keepends=True) if self(raw))

    def __call__(self, raw: bytes) -> bool:
        """Return whether a line may be one."""
        return bool(self.pattern.search(raw)) or (bool(self.also) and self.also in raw)


T = TypeVar("T")
TOGETHER_BYTES = 1 << 18
"""How much of a file is decoded at once: less work than line by line."""
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_TAG = re.compile("(?:^|\x01)([0-9]+)=([^\x01]*)")


def lines(path: Path, kind: type[T], naming: Naming | None = None) -> Iterator[T]:
    """Yield the lines of a file; only those that may name one of some orders, where given.

    A torn last line says nothing; a file that is not there has no lines. Raises
    `OpsctlError` where a whole line is not of its kind.
    """
    if not path.exists():
        return
    decoder = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    with path.open("rb") as file:
        for some in _pieces(file):
            try:
                found = decoder.decode_lines(naming.among(some) if naming else some)
            except msgspec.MsgspecError:
                first = _lines_before(path, file.tell() - len(some)) + 1
                numbered = enumerate(some.splitlines(keepends=True), start=first)
                yield from _each(path, decoder, numbered, naming)
            else:
                yield from found


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file in pieces of whole lines."""
    while some := file.read(TOGETHER_BYTES):
        yield some + file.readline()


def _lines_before(path: Path, offset: int) -> int:
    with path.open("rb") as file:
        return file.read(offset).count(b"\n")


def _each(
    path: Path,
    decoder: msgspec.json.Decoder[T],
    numbered: Iterable[tuple[int, bytes]],
    naming: Naming | None,
) -> Iterator[T]:
    """Yield lines one by one up to the one that is not of its kind, which is named."""
    for number, raw in numbered:
        if naming is not None and not naming(raw):
            continue
        try:
            yield decoder.decode(raw)
        except msgspec.MsgspecError as fault:
            if not raw.endswith(b"\n"):
                return
            raise OpsctlError(f"{path}, line {number}: {fault}") from fault


def naming(orders: Sequence[str], also: bytes = b"") -> Naming:
    """Return what finds the lines that may name one of some orders, or hold what else is given."""
    first, last = min(orders), max(orders)
    same = next(
        (n for n, (x, y) in enumerate(zip(first, last, strict=False)) if x != y), len(first)
    )
    prefix = first[:same]
    ends = "|".join(sorted(re.escape(order[len(prefix) :]) for order in orders))
    pattern = re.compile(f"{re.escape(prefix)}(?:{ends})(?![A-Za-z0-9])".encode())
    return Naming(prefix.encode(), pattern, also)


def facts(folder: Path) -> Drilled:
    """Return what a drill came to; raises `OpsctlError` where the folder has no facts."""
    path = folder / files.FACTS
    try:
        return Drilled.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise OpsctlError(
            f"{folder} holds no recorded run of a drill",
            hint="`opsctl evidence list --command drill` lists the runs",
        ) from fault
    except ValidationError as fault:
        raise OpsctlError(f"{path} cannot be read: {fault.errors()[0]['msg']}") from fault


def window(folder: Path) -> Window | None:
    """Return what the accounts of a run cover; None where it did not come to a fault."""
    path = folder / files.WINDOW
    if not path.exists():
        return None
    try:
        return Window.model_validate_json(path.read_bytes())
    except ValidationError as fault:
        raise OpsctlError(f"{path} cannot be read: {fault.errors()[0]['msg']}") from fault


def client(folder: Path, naming: Naming | None = None) -> Iterator[Line]:
    """Yield what the client wrote."""
    yield from lines(folder / files.CLIENT, cast("Any", Line), naming)


def journal(folder: Path, naming: Naming | None = None) -> Iterator[Journaled]:
    """Yield the journal's records."""
    yield from lines(folder / files.JOURNAL, Journaled, naming)


def venue(folder: Path, naming: Naming | None = None) -> Iterator[VenueLine]:
    """Yield the lines of the venue's own record that are the firm's."""
    every: Iterator[VenueLine] = lines(folder / files.VENUE, VenueLine, naming)
    yield from (line for line in every if not line.maker)


def books(folder: Path, naming: Naming | None = None) -> Iterator[tuple[str, Iterator[BookRow]]]:
    """Yield each site with the rows of its books."""
    for site, path in files.of_sites(folder, files.BOOKS).items():
        yield site, lines(path, BookRow, naming)


def drop_copies(folder: Path, naming: Naming | None = None) -> Iterator[tuple[str, Iterator[Told]]]:
    """Yield each site with what its drop copy told."""
    for site, path in files.of_sites(folder, files.DROP_COPY).items():
        yield site, lines(path, Told, naming)


def tags_of(fix: str) -> dict[str, str]:
    """Return the fields of a message."""
    return dict(_TAG.findall(fix))
