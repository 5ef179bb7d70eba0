"""Writing the recorded run: every account as it is read, then the manifest over all of it."""

from __future__ import annotations

import errno
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from apps.core.etcd import EtcdError
from apps.core.fix import Purpose, comp_id
from apps.core.journal import Gap, Leadership
from opsctl import __version__
from opsctl.drills import drop_copy
from opsctl.drills.accounts import Accounts, Since
from opsctl.drills.outcome import Drilled
from opsctl.drills.recording import files
from opsctl.drills.recording.excerpts import excerpts
from opsctl.drills.recording.files import Led, Manifest, Window
from opsctl.drills.recording.reading import Told
from opsctl.drills.scenario import Scenario
from opsctl.evidence.redaction import without_secrets
from opsctl.model.environment import Environment
from opsctl.toolchain import programs

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk says that takes no more."""
_JSON = msgspec.json.Encoder(decimal_format="string")


@dataclass
class Recording:
    """The recorded run of one drill, while it is written."""

    folder: Path
    environment: Environment
    identity: str | None
    missing: dict[str, str] = field(default_factory=dict)
    """What could not be read, or not be written, and why."""
    full: list[str] = field(default_factory=list)
    """What there was no room for."""

    def begin(self, scenario: Scenario) -> None:
        """Write down what is drilled, and where."""
        self._write(files.SCENARIO, scenario.model_dump(mode="json"))
        self._write(files.ENVIRONMENT, without_secrets(self.environment))

    def accounts(self, accounts: Accounts, since: Since, window: Window, began: datetime) -> None:
        """Write every account of what came `since`; one that cannot be read is named.

        The venue's own record comes last: it knows of everything that the others know of.
        """
        with self._noting("the window"):
            self._write(files.WINDOW, window.model_dump(mode="json"))
        with self._noting("the log"):
            _lines(self.folder / files.LOGS, excerpts(accounts.target, began, window))
        with self._noting("the books"):
            for site, rows in accounts.book_rows(since).items():
                _lines(self.folder / f"{files.BOOKS}{site}.jsonl", rows)
        with self._noting("a drop copy"):
            for site, log in accounts.drop_copy_logs().items():
                told = drop_copy.messages(log, since.told.get(site, 0))
                _lines(
                    self.folder / f"{files.DROP_COPY}{site}.jsonl",
                    (Told.of(line.decode(errors="replace")) for line in told),
                )
        with self._noting("the journal"):
            _lines(
                self.folder / files.JOURNAL,
                (
                    {
                        "index": index,
                        "epoch": batch.epoch,
                        "writer": batch.writer,
                        "record": record,
                    }
                    for batch in accounts.batches(since.tail)
                    for index, record in enumerate(batch.records, batch.first)
                    if index > since.tail
                ),
            )
        with self._noting("the venue's record"), accounts.venue_record().open("rb") as record:
            start = record.readline() if since.venue else b""
            record.seek(since.venue)
            _bytes(self.folder / files.VENUE, (start, record.read()))

    def end(self, found: Drilled, timeline: Iterable[tuple[int, str]]) -> str:
        """Write the facts and the manifest; return its SHA-256, the hash of the evidence."""
        rows = ({"at_ns": at_ns, "what": what} for at_ns, what in timeline)
        _lines(self.folder / files.TIMELINE, rows)
        self._write(files.FACTS, json.loads(found.model_dump_json(exclude={"report", "evidence"})))
        self._write(
            files.MANIFEST,
            Manifest(
                run=found.id,
                scenario=found.scenario,
                environment=found.environment,
                identity=self.identity,
                environment_sha256=self.environment.digest(),
                versions=versions(),
                files=files.seal(self.folder),
                missing=self.missing,
            ).model_dump(mode="json"),
        )
        return files.evidence_of(self.folder)

    def _noting(self, account: str) -> _Noting:
        return _Noting(self, account)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        _bytes(self.folder / name, (json.dumps(content, indent=2).encode() + b"\n",))


@dataclass(frozen=True)
class _Noting:
    """Notes the account that could not be read, or kept, and goes on with the next."""

    recording: Recording
    account: str

    def __enter__(self) -> None:
        """Begin to read."""

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> bool:
        """Note why it could not be read, or written."""
        full = isinstance(fault, OSError) and fault.errno in FULL
        if full or isinstance(fault, EtcdError | Gap | psycopg.Error | FileNotFoundError):
            self.recording.missing[self.account] = str(fault).strip() or type(fault).__name__
            self.recording.full.extend([self.account] if full else ())
            return True
        return False


def led(by: Leadership | None, *, single: bool) -> Led | None:
    """Return a leadership as the window names it, with its order session."""
    if by is None:
        return None
    session = comp_id(by.site, Purpose.ORDERS, single=single)
    return Led(epoch=by.epoch, site=by.site, session=session, at_ns=by.at_ns)


def versions() -> dict[str, str]:
    """Return the versions of what takes part, as they are here."""
    found = {
        name: installed.version
        for name in programs.required()
        if (installed := programs.locate(name)) is not None
    }
    return {
        "opsctl": __version__,
        "python": platform.python_version(),
        **dict(sorted(found.items())),
    }


def _lines(path: Path, rows: Iterable[Any]) -> None:
    _bytes(path, (_JSON.encode(row) + b"\n" for row in rows))


def _bytes(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file whole, or leave none: half an account proves nothing, and takes room."""
    try:
        with path.open("wb") as out:
            out.writelines(parts)
    except OSError:
        path.unlink(missing_ok=True)
        raise
