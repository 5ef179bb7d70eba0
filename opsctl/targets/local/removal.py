"""Taking an environment away: everything stopped, then verified, then removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.services.base import Service
from opsctl.targets import files
from opsctl.targets.base import Event
from opsctl.targets.local import application
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.processes import Process
from opsctl.targets.local.supervisor import Gone, Program, Supervisor

KEPT = ("data", "secrets", "ports.json", "identity")
"""What `--keep-data` keeps: enough for a deploy to go on where the environment stopped."""


def destroy(
    layout: Layout,
    identity: str,
    supervisor: Supervisor,
    processes: Callable[[], tuple[Process, ...]],
    services: Sequence[Service],
    *,
    keep_data: bool,
) -> Iterator[Event]:
    """Stop what runs, highest level first, end supervisord, verify, remove.

    Killed at any instant, a second run continues: the identity, by which processes are
    known again, goes last.
    """
    stop_within_s = {service.key: float(service.stop_within_s) for service in services}
    for group in _highest_first(supervisor):
        yield from application.stop_together(supervisor, group, stop_within_s)
    supervisor.end()
    if identity:
        application.end_strays(processes())
        if left := processes():
            raise OpsctlError(
                f"processes {', '.join(str(p.pid) for p in left)} of the environment still run",
                hint="run destroy again",
            )
    for path in (Path(left) for service in services for left in service.leaves):
        if path.is_socket() or path.is_file():
            path.unlink(missing_ok=True)
    _remove(layout, keep_data=keep_data)


def _highest_first(supervisor: Supervisor) -> Iterator[tuple[Program, ...]]:
    """Return what supervisord runs in groups that can stop together; nothing if it is gone."""
    try:
        running = [p for p in supervisor.programs() if p.runs]
        level = supervisor.levels()
    except Gone:
        return
    for each in sorted({level.get(p.key, 0) for p in running}, reverse=True):
        yield tuple(p for p in running if level.get(p.key, 0) == each)


def _remove(layout: Layout, *, keep_data: bool) -> None:
    kept = KEPT if keep_data else ()
    for name in ("services", "etc", "logs", "data", "secrets", "ports.json"):
        if name not in kept:
            files.remove(layout.root / name)
    for path in layout.root.glob("supervisord.*"):
        files.remove(path)
    files.remove(layout.run)
    if "identity" not in kept:
        files.remove(layout.identity)
    try:
        layout.root.rmdir()
    except OSError:  # its lock, or what was kept, is still in it
        return
