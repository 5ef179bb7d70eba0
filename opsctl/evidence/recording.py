"""Recording a command: its line is written however it ends."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.errors import Interrupted, Locked, OpsctlError
from opsctl.evidence import runs
from opsctl.evidence.anchoring import Store, anchor
from opsctl.evidence.head import Head
from opsctl.evidence.line import Entry
from opsctl.evidence.log import Log, log, raw_lines
from opsctl.evidence.redaction import scrubbed

_logger = logging.getLogger(__name__)


@dataclass
class Run:
    """A command while it runs; what it sets here goes into its line.

    `result` is what it measured, as JSON. `exit_code` is for a command that ends without
    an error and yet not with 0. With `store` the head is anchored there afterwards.
    """

    id: str
    folder: Path
    result: dict[str, object] = field(default_factory=dict)
    exit_code: int = 0
    store: Store | None = None
    head: Head | None = None
    """The head of the log after this run; None until its end."""


@contextmanager
def recorded(
    *,
    command: str,
    environment: str | None = None,
    identity: str | None = None,
    arguments: Mapping[str, object] | None = None,
) -> Iterator[Run]:
    """Record a command that changes something, and give it its run folder.

    The line is in the log, flushed to the disk, when the block is left, also by an error;
    a run that was killed gets its line, `interrupted`, from the next one.
    """
    evidence = log()
    evidence.refuse_newer()
    started = runs.describe(command, environment, identity, arguments)
    note_killed(evidence, started.run)
    with runs.marked(started) as folder, runs.debug_log(folder):
        run = Run(id=started.run, folder=folder)
        began = time.monotonic()
        _logger.info("%s %s began as run %s", command, environment or "", run.id)

        def ended(error: BaseException | None) -> Entry:
            outcome, exit_code, message = _outcome(error, run.exit_code)
            return started.entry(
                outcome=outcome,
                duration_s=round(time.monotonic() - began, 3),
                exit_code=exit_code,
                message=scrubbed(message),
                result=run.result,
            )

        try:
            yield run
        except BaseException as error:
            _logger.info("run %s ends by an error", run.id, exc_info=error)
            try:
                _write(evidence, run, ended(error))
            except (OpsctlError, OSError) as unwritten:
                error.add_note(f"the evidence could not be written: {unwritten}")
                _logger.exception("the evidence could not be written")
            raise
        try:
            _write(evidence, run, ended(None))
        except OSError as error:
            raise OpsctlError(
                f"{command} did its work, but its evidence could not be written: {error}",
                hint=f"free the disk of {evidence.folder}; the next command writes the line",
            ) from error


def note_killed(evidence: Log, found_by: str) -> None:
    """Write the line of every run that was killed before it could write its own."""
    try:
        with evidence.locked(timeout_s=0) as locked:
            for folder, started in runs.killed():
                entry = _of_run(evidence, started.run)
                if entry is None:
                    entry = started.entry(
                        outcome="interrupted",
                        message="it was killed before its end",
                        result={"found_by": found_by},
                    )
                    locked.append(entry)
                runs.close(folder, entry)
    except (Locked, OSError) as error:
        # Neither another opsctl that writes now nor a full disk may stop a command here.
        _logger.warning("killed runs are left to the next command: %s", error)


def _write(evidence: Log, run: Run, entry: Entry) -> None:
    with evidence.locked() as locked:
        run.head = locked.append(entry)
    runs.close(run.folder, entry)
    _logger.info("run %s is line %d of the evidence", run.id, run.head.index)
    if run.store is not None:
        try:
            anchor(run.head, run.store)
        except OpsctlError as error:
            # The chain and its signature stand; `evidence verify` says what has no anchor.
            _logger.warning("line %d has no anchor: %s", run.head.index, error)


def _outcome(error: BaseException | None, exit_code: int) -> tuple[str, int, str]:
    """Return outcome, exit code and message of a block that ended with this error."""
    if error is None:
        return ("done" if exit_code == 0 else "failed"), exit_code, ""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 1, "stopped by Ctrl-C"
    if isinstance(error, Interrupted):
        return "interrupted", error.exit_code, error.message
    if isinstance(error, OpsctlError):
        return "failed", error.exit_code, error.message
    # typer.Exit has an exit_code, SystemExit a code: both may mean that all went well.
    code = getattr(error, "exit_code", getattr(error, "code", 1))
    code = code if isinstance(code, int) else int(code is not None)
    if code == 0:
        return "done", 0, ""
    return "failed", code, f"{type(error).__name__}: {error}".rstrip(": ")


def _of_run(evidence: Log, run: str) -> Entry | None:
    """Return the entry of a run where it is in the log already."""
    for raw in raw_lines(evidence.lines):
        if run.encode() in raw:
            try:
                found = json.loads(raw)
                if found["run"] == run:
                    kept = {key: found[key] for key in Entry.model_fields}
                    return Entry.model_validate(kept)
            except (ValueError, KeyError, TypeError):
                continue
    return None
