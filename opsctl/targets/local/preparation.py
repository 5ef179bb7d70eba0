"""What a service needs before it starts: folders, files with their secrets, one-time steps."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from opsctl.errors import DeployFailed
from opsctl.services.base import Service, Step
from opsctl.targets import files
from opsctl.targets.applying import Cancelled
from opsctl.targets.local import account
from opsctl.targets.local.account import Account
from opsctl.targets.local.definition import Programs, marks
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.processes import POLL_S
from opsctl.targets.secrets import Secrets

STEP_WITHIN_S = 120
SHOWN_LINES = 20


def is_root() -> bool:
    """Return whether this process may act as any account."""
    return os.geteuid() == 0


def folders(layout: Layout) -> None:
    """Make the folders that services share.

    As root, servers run under an account that must be able to pass through, not to list.
    """
    passing = 0o711 if is_root() else 0o700
    for shared in (layout.root, layout.services, layout.root / "etc", layout.root / "data"):
        files.folder(shared, mode=passing)
    files.folder(layout.run, mode=passing)
    files.folder(layout.logs)
    files.folder(layout.secrets)


def owner(service: Service) -> Account | None:
    """Return the account that a service runs under; None where that is this user."""
    return account.ensure() if account.needed(refuses_root=service.refuses_root) else None


class Preparation:
    """Prepares the services of one environment."""

    def __init__(self, layout: Layout, secrets: Secrets, programs: Programs, identity: str) -> None:
        """Keep where things lie."""
        self._layout, self._secrets = layout, secrets
        self._programs, self._identity = programs, identity

    def pending(self, service: Service) -> tuple[Step, ...]:
        """Return the steps that were not done yet."""
        return tuple(step for step in service.setup if not self._marker(service, step).exists())

    def clear_runtime(self, service: Service) -> None:
        """Remove sockets and lock files of a service of which no process is left."""
        run = self._layout.folder(service.key, "run")
        for path in (*(run.iterdir() if run.is_dir() else ()), *map(Path, service.locks)):
            files.remove(path)

    def write_files(self, service: Service) -> None:
        """Write a service's files, and remove those that it no longer has."""
        by = owner(service)
        for use in ("config", "data", "run"):
            files.folder(self._layout.folder(service.key, use), owner=by)
        root = self._layout.folder(service.key, "config")
        wanted = {root / file.path: file.content for file in service.files}
        for path, content in wanted.items():
            if path.parent != root:
                files.folder(path.parent, owner=by)
            files.write(path, self._secrets.fill_in(content), owner=by)
        for path in [p for p in root.rglob("*") if p.is_file() and p not in wanted]:
            path.unlink()

    def run_steps(self, service: Service, cancelled: Callable[[], bool]) -> Iterator[Step]:
        """Do the pending steps in order, yielding each before it runs.

        What a killed step left is cleared first. Raises `DeployFailed` with the end of a
        failed step's output, `Cancelled` where the apply was given up meanwhile.
        """
        data = self._layout.folder(service.key, "data")
        for step in self.pending(service):
            yield step
            if step.clears is not None:
                if not Path(step.clears).is_relative_to(data):
                    raise ValueError(f"{service.key}: {step.name} clears outside of {data}")
                files.remove(Path(step.clears))
            self._run(service, step, cancelled)
            marker = self._marker(service, step)
            files.folder(marker.parent, owner=owner(service))
            files.write(marker, f"{datetime.now(UTC).isoformat()}\n")

    def _marker(self, service: Service, step: Step) -> Path:
        return self._layout.folder(service.key, "data") / ".done" / step.name

    def _run(self, service: Service, step: Step, cancelled: Callable[[], bool]) -> None:
        by = owner(service)
        log = self._layout.logs / f"{service.key}.setup.log"
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            **marks(service, self._layout, self._identity),
        }
        with open(log, "ab", opener=_private) as out:
            began = out.tell()
            running = subprocess.Popen(
                # Should this process be killed, its half-done step ends with it.
                [self._programs.setpriv, "--pdeathsig", "KILL", "--", *step.argv],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._layout.folder(service.key, "data"),
                env=environment,
                user=by.uid if by else None,
                group=by.gid if by else None,
                extra_groups=[] if by else None,
                umask=0o077,
                start_new_session=True,
            )
            status = _wait(running, self._secrets.fill_in(step.stdin).encode(), cancelled)
        if status != 0:
            text = log.read_bytes()[began:].decode(errors="replace")
            shown = self._secrets.hidden(text, service.secrets).splitlines()[-SHOWN_LINES:]
            raise DeployFailed(
                f"{service.key}: {step.name} "
                + ("did not end in time" if status is None else f"failed with status {status}"),
                hint=f"the whole output is in {log}",
                details=shown,
            )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait(
    running: subprocess.Popen[bytes], text: bytes, cancelled: Callable[[], bool]
) -> int | None:
    """Give a process its input and wait for its end; None where it took too long."""
    deadline = time.monotonic() + STEP_WITHIN_S
    try:
        # One that ends without reading tells why by its status.
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.communicate(text, timeout=POLL_S)
        while running.poll() is None:
            if cancelled():
                raise Cancelled
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_S)
        return running.returncode
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
