"""The files of a recorded run, and the manifest that seals them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from opsctl.drills.outcome import Recovery
from opsctl.errors import OpsctlError
from opsctl.model.value import Value

VERSION = 1

FACTS, SCENARIO, ENVIRONMENT = "drill.json", "scenario.json", "environment.json"
WINDOW = "window.json"
CLIENT, JOURNAL, VENUE = "client.jsonl", "journal.jsonl", "venue.jsonl"
TIMELINE, LOGS = "timeline.jsonl", "logs.jsonl"
DROP_COPY, BOOKS = "drop-copy-", "books-"
"""Followed by the site and `.jsonl`."""
MANIFEST = "manifest.json"
REPORT_MD, REPORT_HTML = "report.md", "report.html"

_FIXED = (FACTS, SCENARIO, ENVIRONMENT, WINDOW, CLIENT, JOURNAL, VENUE, TIMELINE, LOGS)


class Sealed(Value):
    """One file as it was sealed."""

    sha256: str
    bytes: int


class Manifest(Value):
    """What was recorded; its own SHA-256 stands in the evidence log."""

    v: int = VERSION
    run: str
    scenario: str
    environment: str
    identity: str | None
    """The UUID of the environment."""
    environment_sha256: str
    """Of the canonical JSON of the environment that was drilled (environment.json)."""
    versions: dict[str, str]
    files: dict[str, Sealed]
    missing: dict[str, str] = {}
    """Accounts that could not be read, and why."""


class Led(Value):
    """A leadership: its epoch, its site, that site's order session, when it was taken."""

    epoch: int
    site: str
    session: str
    at_ns: int


class Window(Value):
    """What a reader needs to know of a run to judge it; times are UTC nanoseconds."""

    v: int = VERSION
    client: str
    """What the ids of the drill's orders begin with."""
    recovery: Recovery
    """What the recovery time counts: docs/drills.md."""
    single_session: bool
    """Whether the venue allows one order session for all sites."""
    journal_after: int
    """The journal's last record before the drill."""
    fault_ns: int
    """0 where the fault did not strike."""
    lifted_ns: int
    """When the fault began to be lifted, or the last blow fell; 0 where there was none."""
    ended_ns: int
    """When the client had ended."""
    former: Led | None = None
    successor: Led | None = None


def of_sites(folder: Path, kind: str) -> dict[str, Path]:
    """Return the files of one kind (`DROP_COPY`, `BOOKS`) by their site."""
    return {
        path.name.removeprefix(kind).removesuffix(".jsonl"): path
        for path in sorted(folder.glob(f"{kind}*.jsonl"))
    }


def seal(folder: Path) -> dict[str, Sealed]:
    """Return the digest of every recorded file that is there."""
    return {path.name: sealed(path) for path in _recorded(folder)}


def sealed(path: Path) -> Sealed:
    """Return the digest of a file."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return Sealed(sha256=found, bytes=path.stat().st_size)


def evidence_of(folder: Path) -> str:
    """Return the SHA-256 of the manifest: the hash of the whole evidence; empty without one."""
    path = folder / MANIFEST
    return sealed(path).sha256 if path.exists() else ""


def manifest(folder: Path) -> Manifest:
    """Return the manifest of a recorded run; raises `OpsctlError` where there is none."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise OpsctlError(
            f"{folder} holds no recorded run of a drill",
            hint="`opsctl evidence list --command drill` lists the runs",
        ) from fault
    except ValidationError as fault:
        raise OpsctlError(
            f"{folder / MANIFEST} is no manifest of this release: {fault.errors()[0]['msg']}",
            hint="a newer opsctl may have recorded it: read it with that one",
        ) from fault


def changed(folder: Path, against: Manifest) -> Iterator[str]:
    """Yield what is not as it was sealed."""
    for name, wanted in sorted(against.files.items()):
        path = folder / name
        if not path.exists():
            yield f"{name} is missing"
        elif sealed(path) != wanted:
            yield f"{name} is not what was sealed"
    for path in _recorded(folder):
        if path.name not in against.files:
            yield f"{path.name} was added"


def _recorded(folder: Path) -> list[Path]:
    sites = [*of_sites(folder, DROP_COPY).values(), *of_sites(folder, BOOKS).values()]
    return [*(path for name in _FIXED if (path := folder / name).exists()), *sites]
