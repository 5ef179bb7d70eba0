"""The folder of a run: `started.json` while it runs, `run.json` once it ended, its debug log.

A run holds a lock on its `started.json`, which the kernel releases however it dies. One
that is there without its lock belongs to a run that was killed.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import logging
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opsctl import __version__
from opsctl.errors import OpsctlError
from opsctl.evidence.line import Entry, canonical, iso
from opsctl.evidence.log import flush_folder
from opsctl.evidence.redaction import without_secrets
from opsctl.model.value import Value
from opsctl.state import runs_folder

STARTED, ENDED, DEBUG_LOG = "started.json", "run.json", "debug.log"
RUN_ID = re.compile(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}")


class Started(Value):
    """What is known of a run when it begins."""

    run: str
    at: datetime
    user: str
    host: str
    opsctl: str
    pid: int
    command: str
    environment: str | None
    identity: str | None
    arguments: dict[str, Any]
    folder: str

    def entry(
        self,
        *,
        outcome: str,
        duration_s: float | None = None,
        exit_code: int | None = None,
        message: str = "",
        result: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Return the entry of this run, now that its outcome is known."""
        known = self.model_dump(exclude={"pid"})
        return Entry.model_validate(
            {
                **known,
                "outcome": outcome,
                "duration_s": duration_s,
                "exit_code": exit_code,
                "message": message,
                "result": without_secrets(result or {}),
            }
        )


def new_id(at: datetime) -> str:
    """Return an id that sorts by time: `20261123T210456123Z-3f9a1c`."""
    moment = at.astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


def describe(
    command: str,
    environment: str | None,
    identity: str | None,
    arguments: Mapping[str, object] | None,
) -> Started:
    """Return what is known of a run that begins now, its arguments without secrets."""
    at = datetime.now(UTC)
    run = new_id(at)
    return Started(
        run=run,
        at=at,
        user=who(),
        host=socket.gethostname(),
        opsctl=__version__,
        pid=os.getpid(),
        command=command,
        environment=environment,
        identity=identity,
        arguments=without_secrets(arguments or {}),
        folder=str(runs_folder() / run),
    )


def who() -> str:
    """Return who runs this: the account, and before it who became it by sudo."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # no entry in the password file
        account = f"uid {os.geteuid()}"
    behind = os.environ.get("SUDO_USER")
    return f"{behind} as {account}" if behind and behind != account else account


@contextmanager
def marked(started: Started) -> Iterator[Path]:
    """Keep the run's `started.json`, locked, until its line is in the log; yield its folder."""
    folder = Path(started.folder)
    content = canonical(started.model_dump(mode="json") | {"at": iso(started.at)})
    descriptor = -1
    try:
        folder.mkdir(parents=True, mode=0o700)
        descriptor = os.open(folder / f".{STARTED}", os.O_WRONLY | os.O_CREAT, 0o600)
        # Locked and whole before anyone can see it under its name.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, content + b"\n")
        os.fsync(descriptor)
        (folder / f".{STARTED}").rename(folder / STARTED)
        flush_folder(folder)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise OpsctlError(
            f"the run folder {folder} cannot be written: {error.strerror}",
            hint="free its disk, or set OPSCTL_STATE to a folder that you may write",
        ) from error
    try:
        yield folder
    finally:
        os.close(descriptor)


def close(folder: Path, entry: Entry) -> None:
    """Note the end of a run whose line is in the log."""
    content = entry.model_dump(mode="json") | {"at": iso(entry.at)}
    (folder / ENDED).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / STARTED).unlink(missing_ok=True)


def killed() -> Iterator[tuple[Path, Started]]:
    """Yield the folder of every run that was killed before its end, and what it had begun."""
    if not runs_folder().is_dir():
        return
    for folder in sorted(runs_folder().iterdir()):
        if not RUN_ID.fullmatch(folder.name):
            continue
        try:
            descriptor = os.open(folder / STARTED, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            started = Started.model_validate_json(os.read(descriptor, 10_000_000))
        except (BlockingIOError, ValueError):
            continue  # it runs; or is none of ours
        finally:
            os.close(descriptor)
        yield folder, started


def alive(run: str) -> bool:
    """Return whether the process of a run still works on it, on this machine."""
    try:
        descriptor = os.open(runs_folder() / run / STARTED, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def ended(run: str) -> bool:
    """Return whether a run of this machine is over, however it ended; False where it is unknown."""
    known = RUN_ID.fullmatch(run) is not None and (runs_folder() / run).is_dir()
    return known and not alive(run)


class _Passing(logging.Handler):
    """Hands what is logged on to the handlers above, as if there were no debug log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record on."""
        logging.getLogger().handle(record)


@contextmanager
def debug_log(folder: Path) -> Iterator[None]:
    """Write everything that opsctl logs meanwhile to the run's debug log."""
    logger = logging.getLogger("opsctl")
    handler = logging.FileHandler(folder / DEBUG_LOG, encoding="utf-8")
    form = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s")
    form.datefmt, form.converter = "%Y-%m-%dT%H:%M:%S", time.gmtime
    handler.setFormatter(form)
    level, propagate = logger.level, logger.propagate
    passing: list[logging.Handler] = []
    if propagate:
        # What -v shows on stderr stays what it was, though the logger lets all through now.
        passing = [_Passing(logger.getEffectiveLevel())]
    for added in (handler, *passing):
        logger.addHandler(added)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
        for added in (handler, *passing):
            logger.removeHandler(added)
        handler.close()
