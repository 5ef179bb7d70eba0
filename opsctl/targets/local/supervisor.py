"""Supervisord: started, asked, told, and ended, through its unix socket."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl.errors import DeployFailed, OpsctlError
from opsctl.targets.local.definition import identifier
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.processes import MARK, POLL_S, Process, ended, environment_of, process

ANSWER_WITHIN_S = 3.0
START_WITHIN_S = 30.0
END_WITHIN_S = 10.0

STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL = 0, 10, 20, 30, 40, 100, 200
NOT_RUNNING, BAD_NAME, ALREADY_ADDED, STILL_RUNNING = 70, 10, 90, 91


class Gone(Exception):
    """Supervisord does not answer."""


@dataclass(frozen=True)
class Program:
    """What supervisord says of a service that it has loaded."""

    key: str
    made_from: str
    """The digest of the service that it was loaded from."""
    state: int
    pid: int
    started_at_s: int
    """Seconds since the epoch of its last start; 0 where it never started."""
    stopped_at_s: int
    exit_status: int
    spawn_error: str

    @property
    def runs(self) -> bool:
        """Whether supervisord keeps it running, or tries to."""
        return self.state in (STARTING, RUNNING, BACKOFF, STOPPING)

    @property
    def stays_down(self) -> bool:
        """Whether supervisord leaves it down, or ends it to do so."""
        return self.state in (STOPPED, STOPPING, FATAL)

    def detail(self) -> str:
        """Return why it does not run."""
        match self.state:
            case s if s == STOPPED:
                return "stopped"
            case s if s == BACKOFF:
                return f"keeps ending at its start: {self.spawn_error}"
            case s if s == FATAL:
                return f"gave up after it kept ending at its start: {self.spawn_error}"
            case s if s == EXITED:
                return f"ended with status {self.exit_status}"
            case _:
                return ""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(self.timeout)
            opened.connect(str(self._path))
        except OSError:
            opened.close()
            raise
        self.sock = opened


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over the socket, with its password."""

    def __init__(self, path: Path, password: str) -> None:
        token = base64.b64encode(f"opsctl:{password}".encode()).decode()
        super().__init__(headers=[("Authorization", f"Basic {token}")])
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = (str(self._path), connection)  # what `close` of the base class closes
        return connection


class Supervisor:
    """The supervisord of one environment; every call opens a connection of its own."""

    def __init__(self, layout: Layout, identity: str) -> None:
        """Name it; ask nothing yet."""
        self._layout = layout
        self._identity = identity

    def _call(self, name: str, *arguments: object) -> Any:
        try:
            transport = _Transport(self._layout.socket, self._password())
            with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as proxy:
                return getattr(proxy.supervisor, name)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as fault:
            raise Gone(str(fault)) from fault

    def _password(self) -> str:
        text = self._layout.supervisord.read_text(encoding="utf-8")
        return text.partition("password = ")[2].partition("\n")[0]

    def process(self) -> Process | None:
        """Return its process, known again by its pid file and the environment's mark."""
        try:
            pid = int((self._layout.root / "supervisord.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        found = process(pid)
        return found if environment_of(pid).get(MARK) == self._identity else None

    def identification(self) -> str | None:
        """Return the identifier that it was started with; None where it does not answer."""
        try:
            return str(self._call("getIdentification"))
        except Gone:
            return None

    def start(self, configuration: str, marks: Mapping[str, str]) -> None:
        """Start it from a configuration that is written already; return when it answers.

        What it runs inherits the variables `marks`.

        It leaves our session and our terminal, and has opened its socket when the command
        returns. Raises `DeployFailed` where it cannot.
        """
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "supervisor.supervisord"),
                    *("--configuration", str(self._layout.supervisord)),
                ],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                cwd="/",
                env={**self._environment(), **marks},
                timeout=START_WITHIN_S,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as late:
            raise DeployFailed(
                f"supervisord was not up within {START_WITHIN_S:g} s",
                hint=f"its log is {self._layout.root}/supervisord.log",
            ) from late
        lines = (done.stdout + done.stderr).splitlines()
        if done.returncode != 0:
            raise DeployFailed("supervisord cannot start", details=lines[-10:])
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while self.identification() != identifier(configuration):
            if time.monotonic() > deadline:
                raise DeployFailed(
                    "supervisord does not answer",
                    hint=f"its log is {self._layout.root}/supervisord.log",
                    details=lines[-10:],
                )
            time.sleep(POLL_S)

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(self._layout.root),
            MARK: self._identity,
        }

    def programs(self) -> tuple[Program, ...]:
        """Return what it has loaded; raise `Gone` where it does not answer."""
        return tuple(_program(info) for info in self._call("getAllProcessInfo"))

    def program(self, key: str) -> Program | None:
        """Return one service as it is loaded."""
        return next((p for p in self.programs() if p.key == key), None)

    def levels(self) -> dict[str, int]:
        """Return the level of every service: what a higher one waits for, a lower one is."""
        return {str(c["group"]): int(c["group_prio"]) for c in self._call("getAllConfigInfo")}

    def reread(self) -> None:
        """Read the definitions again; what is loaded stays as it is."""
        self._tell("reloadConfig")

    def load(self, key: str) -> None:
        """Load a service from the definitions that were last read."""
        self._tell("addProcessGroup", key, known=ALREADY_ADDED)

    def unload(self, key: str) -> None:
        """Forget a service that is stopped."""
        self._tell("removeProcessGroup", key, known=BAD_NAME)

    def run(self, program: Program) -> None:
        """Start a loaded service; whether it stays is seen by asking."""
        self._tell("startProcess", f"{program.key}:{program.made_from}", False)

    def halt(self, program: Program) -> None:
        """Tell a service to stop; supervisord kills it after its time."""
        self._tell("stopProcess", f"{program.key}:{program.made_from}", False, known=NOT_RUNNING)

    def _tell(self, name: str, *arguments: object, known: int | None = None) -> None:
        try:
            self._call(name, *arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != known:
                raise OpsctlError(
                    f"supervisord refused {name} {' '.join(map(str, arguments))}: "
                    f"{fault.faultString}",
                    hint="deploy again; what is there is found and continued",
                ) from fault

    def end(self, *, patient: bool = True) -> None:
        """End it, whatever it does; what it runs is told to stop by the kernel.

        One that is known to hang is given no time to end by itself.
        """
        running = self.process()
        if running is None:
            return
        running.end(signal.SIGTERM)
        if not patient or ended([running], END_WITHIN_S):
            running.end(signal.SIGKILL)
            ended([running], END_WITHIN_S)


def _program(info: Mapping[str, Any]) -> Program:
    return Program(
        key=str(info["group"]),
        made_from=str(info["name"]),
        state=int(info["state"]),
        pid=int(info["pid"]),
        started_at_s=int(info["start"]),
        stopped_at_s=int(info["stop"]),
        exit_status=int(info["exitstatus"]),
        spawn_error=str(info["spawnerr"]),
    )
