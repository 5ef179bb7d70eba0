"""Running one playbook over boxes, by ansible-runner, in a folder of its own.

A fresh folder each time: ansible-runner takes what an earlier run left in one (`env/cmdline`)
for its own, and a run that should change a box stays a check. The environment that Ansible gets
is made here: the user's own ansible.cfg and SSH configuration of known hosts play no part, and
nothing of the caller's environment is written beside the artifacts.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opsctl.deploy.interrupt import Interruption
from opsctl.errors import Interrupted, OpsctlError
from opsctl.provision import bound, programs
from opsctl.provision.failing import Raw, raw
from opsctl.provision.reaching import environment

POLL_S = 1
"""How often a running playbook is asked whether it shall stop."""
GRACE_S = 15
"""How long Ansible may take to end its workers after it was asked to."""
SILENT_S = 1800
"""A playbook that says nothing for so long is ended; longer than a reboot may take."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Play:
    """What to run: a playbook over boxes, with what each is told."""

    playbook: str
    """`audit.yml`: one of the folder of playbooks."""
    inventory: str
    variables: Mapping[str, Mapping[str, object]]
    """By box; only these take part."""
    known_hosts: Path
    forks: int
    check: bool = False
    keep: bool = False
    """Whether it changes something: every event is kept among the artifacts."""
    become_password_file: Path | None = None
    task_timeout_s: int = 0
    """Longest time of one task on one box; 0: no limit."""


@dataclass
class Played:
    """What came of it, by box."""

    results: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """What each task returned that ended well, in order."""
    failures: dict[str, Raw] = field(default_factory=dict)
    changed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The tasks that changed something, or in a check would."""
    settings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The settings that were changed, or in a check would be, as the modules say."""
    said: str = ""
    """The end of what Ansible printed, where it did not come as far as a box."""


Watch = Callable[[str, str], None]
"""Told of each task as a box begins it: box, task."""


def play(wanted: Play, folder: Path, watch: Watch, interruption: Interruption) -> Played:
    """Run a playbook in a folder that does not exist yet, and return what came of it.

    Raises:
        Interrupted: a signal came; what Ansible had running is ended.
        OpsctlError: the playbook could not be started at all.
    """
    config = _prepared(wanted, folder)
    played = Played()
    listener = _Listener(played, watch, keep=wanted.keep)
    from ansible_runner import Runner

    runner = Runner(
        config=config,
        event_handler=listener.event,
        cancel_callback=_Stop(interruption, folder),
    )
    _logger.info("ansible-playbook %s begins in %s", wanted.playbook, folder)
    runner.run()
    _logger.info("ansible-playbook %s ended: %s, %s", wanted.playbook, runner.status, runner.rc)
    if interruption.requested is not None:
        raise Interrupted(
            f"stopped by {interruption.requested.name} in {wanted.playbook}",
            hint="the next opsctl provision of these boxes continues",
        )
    _settled(played, wanted, listener, runner.status, folder / "artifacts" / "1" / "stdout")
    return played


def _prepared(wanted: Play, folder: Path) -> Any:
    from ansible_runner import RunnerConfig

    source = programs.playbooks()
    playbook = source / wanted.playbook
    if not playbook.is_file():
        raise OpsctlError(
            f"there is no playbook {playbook}", hint="install opsctl anew: it ships its playbooks"
        )
    folder.mkdir(parents=True, mode=0o700)
    told = folder / "boxes.json"
    hosts = {name: dict(variables) for name, variables in wanted.variables.items()}
    told.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    told.chmod(0o600)
    limit = folder / "limit"
    limit.write_text("".join(f"{name}\n" for name in wanted.variables), encoding="utf-8")
    config = RunnerConfig(
        private_data_dir=str(folder),
        project_dir=str(source),
        playbook=str(playbook),
        inventory=[wanted.inventory, str(told)],
        limit=f"@{limit}",
        forks=wanted.forks,
        cmdline="--check --diff" if wanted.check else None,
        ident="1",
        quiet=True,
        settings={
            "pexpect_timeout": POLL_S,
            "idle_timeout": SILENT_S,
            "suppress_ansible_output": True,
        },
    )
    config.prepare()
    bin_folder = _bound(folder, programs.ansible("ansible-playbook"))
    kept = {
        name: value
        for name, value in config.env.items()
        if name.startswith(("RUNNER_", "AWX_", "ANSIBLE_CALLBACK", "ANSIBLE_STDOUT"))
    }
    config.env = {
        **kept,
        **environment(
            known_hosts=wanted.known_hosts,
            become_password_file=wanted.become_password_file,
            task_timeout_s=wanted.task_timeout_s,
            tasks=wanted.keep,
        ),
    }
    config.env["PATH"] = f"{bin_folder}{os.pathsep}{config.env['PATH']}"
    return config


def _bound(folder: Path, program: Path) -> Path:
    """Return a folder with a playbook runner that ends with us, however we end.

    ansible-runner starts it deaf to the hangup of its terminal: it would go on changing boxes
    after this process was killed, while the next one believes them free.
    """
    place = folder / "bin"
    place.mkdir(mode=0o700)
    script = place / "ansible-playbook"
    words = [str(program)]
    if sys.platform == "linux":
        words = [sys.executable, "-I", bound.__file__, str(os.getpid()), str(program)]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return place


class _Stop:
    """Asks Ansible to end where a signal came: killed at once, it would leave its workers working.

    Called while a playbook runs; true where it is to be killed, since it did not end.
    """

    def __init__(self, interruption: Interruption, folder: Path) -> None:
        self._interruption, self._folder, self._asked_at = interruption, os.fsencode(folder), 0.0

    def __call__(self) -> bool:
        if self._interruption.requested is None:
            return False
        if not self._asked_at:
            self._asked_at = time.monotonic()
            for pid in Path("/proc/thread-self/children").read_text(encoding="ascii").split():
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    # Of this process's children, the one that works in our folder.
                    if self._folder in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(int(pid), signal.SIGTERM)
        return time.monotonic() - self._asked_at > GRACE_S


class _Listener:
    """Takes the events of a run apart."""

    def __init__(self, played: Played, watch: Watch, *, keep: bool) -> None:
        self.played, self.watch, self.keep = played, watch, keep
        self.ended: dict[str, bool] = {}
        """By box: whether all of its tasks ended well, once Ansible has said so."""
        self.begun: dict[str, str] = {}

    def event(self, event: Mapping[str, Any]) -> bool:
        """Note one event; return whether it is to be kept as a file."""
        data = event.get("event_data") or {}
        host, kind = data.get("host"), event.get("event")
        if kind == "playbook_on_stats":
            self._stats(data)
        elif host:
            self._of_box(str(kind), str(host), data)
        return self.keep

    def _of_box(self, kind: str, host: str, data: Mapping[str, Any]) -> None:
        task, res = str(data.get("task", "")), data.get("res") or {}
        if kind == "runner_on_start":
            self.begun[host] = task
            self.watch(host, task)
        elif kind == "runner_on_ok":
            self.played.results.setdefault(host, []).append(res)
        if kind in ("runner_on_ok", "runner_on_failed") and res.get("changed"):
            self._changed(host, task, res)
        if kind == "runner_on_unreachable" or (
            kind == "runner_on_failed" and not data.get("ignore_errors")
        ):
            role = str(data.get("role") or "")
            unreachable = kind == "runner_on_unreachable"
            self.played.failures[host] = raw(task, role, res, unreachable=unreachable)

    def _changed(self, host: str, task: str, res: Mapping[str, Any]) -> None:
        played = self.played
        played.changed[host] = (*played.changed.get(host, ()), task)
        changes = res.get("changes") or ()
        named = (one["setting"] for one in changes if isinstance(one, Mapping) and "setting" in one)
        fresh = dict.fromkeys((*played.settings.get(host, ()), *map(str, named)))
        played.settings[host] = tuple(fresh)

    def _stats(self, data: Mapping[str, Any]) -> None:
        processed = set(data.get("processed") or ())
        failed = {*(data.get("failures") or ()), *(data.get("dark") or ())}
        self.ended = {host: host not in failed for host in processed}


def _settled(played: Played, wanted: Play, listener: _Listener, status: str, stdout: Path) -> None:
    """Judge each box by what Ansible counted: a task that was rescued is no failure."""
    with contextlib.suppress(OSError):
        text = stdout.read_text(encoding="utf-8", errors="replace")
        played.said = "\n".join(text.splitlines()[-40:])
    for host in wanted.variables:
        if listener.ended.get(host):
            played.failures.pop(host, None)
        elif host not in played.failures:
            task = listener.begun.get(host, "")
            words = "said nothing for too long" if status == "timeout" else "did not come so far"
            end = _last_error(played.said)
            message = f"Ansible {words}" + (f": {end}" if end else "")
            played.failures[host] = Raw(task=task, role="", message=message, unreachable=False)


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith(("[ERROR]", "ERROR!", "fatal:"))]
    return (wrong or lines or [""])[-1]


@contextlib.contextmanager
def become_password(variable: str, file: Path | None) -> Iterator[Path | None]:
    """Yield what tells Ansible the password for sudo: the user's file, or a program that prints it.

    The password of a variable is in the memory of this process alone, and gone with it; the
    program reads it there. Ansible runs a password file that may be executed.
    """
    value = os.environ.get(variable)
    if file is not None or not value:
        yield file
        return
    if not hasattr(os, "memfd_create"):
        raise OpsctlError(
            f"{variable} serves on Linux only", hint="name a file: --become-password-file FILE"
        )
    with (
        os.fdopen(_memory(value), "rb") as held,
        tempfile.TemporaryDirectory(prefix="opsctl-") as folder,
    ):
        program = Path(folder) / "become"
        program.write_text(f"#!/bin/sh\nexec cat /proc/{os.getpid()}/fd/{held.fileno()}\n")
        program.chmod(0o500)
        yield program


def _memory(value: str) -> int:
    descriptor = os.memfd_create("become", os.MFD_CLOEXEC)
    os.fchmod(descriptor, 0o400)
    os.write(descriptor, value.encode())
    return descriptor


def answers(results: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> Mapping[str, Any] | None:
    """Return the last result that has all of these keys; None where none has."""
    found = None
    for result in results:
        if all(key in result for key in keys):
            found = result
    return found
