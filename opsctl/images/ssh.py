"""An engine on another machine, by ssh: one connection, which forwards the engine's socket.

One process of the user's own `ssh` for each host, with the user's keys, agent and
configuration (`OPSCTL_SSH_CONFIG` names another); nothing is asked, so that a command without
a terminal fails instead of waiting. All requests go through it, so a deploy logs in once, and
nothing but a socket is needed there: no docker command. It ends with this process, however
that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from opsctl.errors import OpsctlError
from opsctl.model.hosts import Way

SOCKET = "/var/run/docker.sock"
CONNECT_S = 10
ALIVE_S, ALIVE_COUNT = 5, 3
"""A host that is silent for so long, so often, is gone."""
END_S = 0.5
"""An ssh whose socket has closed is gone within this."""
CONFIG = "OPSCTL_SSH_CONFIG"
READY = "opsctl: ready"
KNOWN_AS = "opsctl-host"
"""The name of a host whose key is given: addresses of private networks name many hosts."""
_NONE, _CLOSED = "opsctl: no socket", "opsctl: no permission"
_DIRECT = Way()
_open: dict[tuple[str, Way], Tunnel] = {}
_opening = threading.Lock()


class SshRefused(OpsctlError):
    """A host cannot be reached by ssh, or its engine not from there."""


class KeysRefused(SshRefused):
    """A host answers, and is not the one that is known, or does not let this user in."""


class Tunnel:
    """A local socket that leads to an engine's."""

    def __init__(self, address: str, way: Way = _DIRECT) -> None:
        """Log in and forward. Raises `SshRefused` with what to do."""
        self.address, self._way = address, way
        self._folder = Path(tempfile.mkdtemp(prefix="opsctl-"))
        self.socket = self._folder / "docker.sock"
        self._process = self._start()
        atexit.register(self.close)
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it still leads there."""
        return self._process.poll() is None

    def ended(self, within_s: float) -> bool:
        """Whether it leads nowhere any more, or will not in a moment."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        return not self.alive

    def close(self) -> None:
        """End it."""
        atexit.unregister(self.close)
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ALIVE_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[str]:
        known = self._folder / "known_hosts"
        known.write_text(f"{KNOWN_AS} {self._way.host_key}\n", encoding="ascii")
        options = ways(self._way, known)
        try:
            return subprocess.Popen(
                command(self.address, self.socket, os.environ.get(CONFIG), options),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # What it says is read; and a ^C is for opsctl, which still needs it then.
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
        except FileNotFoundError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise SshRefused(
                f"{self.address} cannot be reached: this machine has no ssh",
                hint="install it (Debian: apt-get install openssh-client)",
            ) from error

    def _await_ready(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        said = [""]
        while said[-1] != READY:
            line = self._process.stdout.readline()
            if not line:
                assert self._process.stderr is not None  # noqa: S101 - a pipe
                raise refused(self.address, self._process.stderr.read(), self._way)
            said.append(line.strip())
        if _NONE in said or _CLOSED in said:
            raise _no_engine(self.address, closed=_NONE not in said)


def tunnel(address: str, way: Way = _DIRECT) -> Path:
    """Return the local socket of the engine at `ssh://user@host[:port][/socket]`.

    Raises `SshRefused`.
    """
    if not urlsplit(address).hostname:
        raise SshRefused(f"{address} names no host", hint="write ssh://user@host[:port]")
    at = address, way
    with _opening:
        if at not in _open or not _open[at].alive:
            if at in _open:
                _open.pop(at).close()
            _open[at] = Tunnel(address, way)
        return _open[at].socket


def broke(address: str, way: Way = _DIRECT) -> bool:
    """Whether the log-in to an address has just ended, so that another may succeed."""
    with _opening:
        return (address, way) in _open and _open[address, way].ended(END_S)


def ways(way: Way, known_hosts: Path) -> dict[str, str]:
    """Return the options of ssh that a way comes to; pure.

    `known_hosts` has the key of `KNOWN_AS`, where one is given: it alone counts then.
    """
    options: dict[str, str] = {}
    if way.host_key:
        options |= {
            "HostKeyAlias": KNOWN_AS,
            "UserKnownHostsFile": str(known_hosts),
            "GlobalKnownHostsFile": os.devnull,
            "UpdateHostKeys": "no",
        }
    if way.key:
        options |= {"IdentityFile": str(Path(way.key).expanduser()), "IdentitiesOnly": "yes"}
    if way.session is not None:
        options["ProxyCommand"] = proxy(*way.session)
    return options


def proxy(instance: str, region: str) -> str:
    """Return the command by which ssh goes through Session Manager, as AWS documents it; pure."""
    return (
        f"aws ssm start-session --target {instance} --region {region} "
        "--document-name AWS-StartSSHSession --parameters portNumber=%p"
    )


def command(
    address: str, socket: Path, config: str | None, more: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the command that forwards an engine's socket, until its input ends; pure."""
    parts = urlsplit(address)
    there = shlex.quote(_there(address))
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(CONNECT_S),
        "ExitOnForwardFailure": "yes",
        "ServerAliveInterval": str(ALIVE_S),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "ClearAllForwardings": "no",
        "ControlPath": "none",
        **(more or {}),
    }
    ask = (
        f"test -S {there} || echo {shlex.quote(_NONE)}; "
        f"test -w {there} || echo {shlex.quote(_CLOSED)}; echo {shlex.quote(READY)}; exec cat"
    )
    return (
        "ssh",
        *(("-F", config) if config else ()),
        "-T",
        *(word for key, value in options.items() for word in ("-o", f"{key}={value}")),
        *(("-l", parts.username) if parts.username else ()),
        *(("-p", str(parts.port)) if parts.port else ()),
        "-L",
        f"{socket}:{_there(address)}",
        "--",
        parts.hostname or "",
        ask,
    )


def refused(address: str, said: str, way: Way = _DIRECT) -> SshRefused:
    """Return the error for what ssh said before it ended; pure."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    user = f"{parts.username}@" if parts.username else ""
    log_in = f"ssh {f'-p {parts.port} ' if parts.port else ''}{user}{host}"
    known = shlex.quote(f"[{host}]:{parts.port}") if parts.port else host
    if way.host_key and ("IDENTIFICATION HAS CHANGED" in said or "verification failed" in said):
        return KeysRefused(
            f"{address}: the host key of {host} is not the one that it must have: it is another "
            "machine, or somebody is in between",
            hint="ask whoever runs the host; only where it was set up anew, correct its host_key",
        )
    if "IDENTIFICATION HAS CHANGED" in said:
        return KeysRefused(
            f"{address}: the host key of {host} is not the one that is known: it is another "
            "machine, or somebody is in between",
            hint="ask whoever runs the host; only where it was set up anew: "
            f"ssh-keygen -R {known}, then {log_in} once, and compare the key",
        )
    if "Host key verification failed" in said or "host key is known for" in said:
        return KeysRefused(
            f"{address}: the host key of {host} is not known here",
            hint=f"{log_in} once, compare the key with what the host's owner says, accept it",
        )
    if "Permission denied" in said or "Too many authentication failures" in said:
        return KeysRefused(
            f"{address}: {host} refuses this user's keys",
            hint=f"{log_in} must log in without a question: ssh-copy-id, or ssh-add",
        )
    last = [line.strip() for line in said.splitlines() if line.strip()][-1:]
    return SshRefused(
        f"{address} cannot be reached: {last[0] if last else 'ssh ended without a word'}",
        hint=f"{log_in} must log in; a host that is gone for good: take it out of trading:hosts",
    )


def _there(address: str) -> str:
    path = urlsplit(address).path
    return path if path not in ("", "/") else SOCKET


def _no_engine(address: str, *, closed: bool) -> SshRefused:
    host, there = urlsplit(address).hostname, _there(address)
    if closed:
        return SshRefused(
            f"{address}: no permission on {there} of {host}",
            hint="let the account use Docker there: usermod -aG docker USER, and log in anew "
            "(whoever may use it is root on that machine)",
        )
    return SshRefused(
        f"{address}: there is no {there} on {host}: no Docker Engine runs there",
        hint="start one there (apt-get install docker.io), or name its socket: "
        f"{address.rstrip('/')}/path/to/docker.sock",
    )
