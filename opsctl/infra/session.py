"""The engine as a process: started in a session of its own, noted, stopped, cleared away.

The engine outlives a killed opsctl, and its plugins outlive a killed engine. Every process of
a run therefore carries the run's mark among its variables, and a file says which run it is:
the next opsctl ends what is left of it before it looks at anything.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import AwareDatetime, ValidationError

from opsctl.deploy.files import remove, write_whole
from opsctl.model.value import Value

MARK = "OPSCTL_ENGINE_RUN"
"""The variable that carries the mark of a run."""
ORDERLY_S = 120.0
"""How long an engine may take to end the operations that it has begun."""
ABORT_S = 15.0
"""How long an engine may take to note what it leaves half-done."""
PLUGIN_S = 5.0
"""How long a plugin may take to end."""


class Note(Value):
    """Which engine runs, for whoever finds it after a kill."""

    run: str
    command: str
    opsctl: int
    """The pid of the opsctl that started it."""
    since: AwareDatetime
    unsettled: AwareDatetime
    """Since when runs were killed one after the other: a lock that is younger is ours."""
    unread: bool = False
    """Whether the state holds what was put there unseen, and has to be read anew."""


def begin(place: Path, command: str, former: Note | None = None) -> Note:
    """Note a run before its engine is started; `former` was killed and left its lock."""
    now = datetime.now(UTC)
    note = Note(
        run=uuid4().hex,
        command=command,
        opsctl=os.getpid(),
        since=now,
        unsettled=former.unsettled if former else now,
        unread=former.unread if former else False,
    )
    write(place, note)
    return note


def write(place: Path, note: Note) -> None:
    """Write which run it is."""
    write_whole(place, note.model_dump_json())


def left(place: Path) -> Note | None:
    """Return the run that was noted and never ended; None where there is none."""
    try:
        return Note.model_validate_json(place.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def ended(place: Path) -> None:
    """Take the note away: the run has ended and nothing is left of it."""
    remove(place)


def launch(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: int, err: int
) -> subprocess.Popen[bytes]:
    """Start an engine whose output goes into two files, in a session of its own.

    Files and no pipes: it must not die of a broken pipe when opsctl is killed, but end what
    it has begun and write it down. A session: Ctrl-C is ours to pass on.
    """
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )


def members(run: str) -> dict[int, str]:
    """Return the processes of a run: pid to the name of the program."""
    wanted = f"{MARK}={run}".encode()
    found: dict[int, str] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                found[int(place.name)] = (place / "comm").read_text(encoding="utf-8").strip()
        except OSError:  # it ended meanwhile, or belongs to another account
            continue
    return found


def end(run: str) -> tuple[str, ...]:
    """End what is left of a run; return the names of the processes that there were.

    A living engine is asked to end what it has begun, then to give up, then killed; what is
    left of its plugins is ended after it.
    """
    there = members(run)
    engines = [pid for pid, name in there.items() if name == "pulumi"]
    for number, patience_s in (
        (signal.SIGINT, ORDERLY_S),
        (signal.SIGINT, ABORT_S),
        (signal.SIGKILL, ABORT_S),
    ):
        engines = _signalled(engines, number, patience_s)
    for number, patience_s in ((signal.SIGTERM, PLUGIN_S), (signal.SIGKILL, ABORT_S)):
        _signalled(list(members(run)), number, patience_s)
    return tuple(there.values())


def _signalled(pids: Sequence[int], number: signal.Signals, patience_s: float) -> list[int]:
    """Send a signal, wait until the processes have ended, and return those that have not."""
    handles: dict[int, int] = {}
    with contextlib.ExitStack() as stack:
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
                stack.callback(os.close, handle)
                signal.pidfd_send_signal(handle, number)
            except ProcessLookupError:
                continue
            handles[handle] = pid
        deadline = time.monotonic() + patience_s
        waiting = select.poll()
        for handle in handles:
            waiting.register(handle, select.POLLIN)
        while handles and (rest := deadline - time.monotonic()) > 0:
            for handle, _ in waiting.poll(rest * 1_000):
                waiting.unregister(handle)
                del handles[handle]
        return list(handles.values())
