"""The texts by which supervisord runs a service; pure.

Supervisord's own file format gives `%`, `;` and `#` a meaning, so nothing free goes into
it: settings and arguments stand in a start script, quoted for the shell. The name of the
process is the digest of the service: what supervisord says it runs is what really runs,
whatever the files say by now.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from opsctl.services.base import Service
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.processes import MARK, SERVICE_MARK

LOG_BYTES, LOG_BACKUPS = 10 * 1024 * 1024, 3

NICE = 10
"""How much a service off the order path stands back: about a tenth of the others' share. As a
batch process it also pushes nobody off a processor when it wakes."""

RETRIES = 30
"""Each waits a second longer than the last: about eight minutes of trying."""


@dataclass(frozen=True)
class Programs:
    """The programs of the system that start a service."""

    shell: str
    setpriv: str
    chrt: str
    nice: str


def supervisord(layout: Layout, password: str, *, root: bool) -> str:
    """Return supervisord's configuration; its identifier is the digest of everything else.

    A supervisord that says another identifier was started from another configuration.
    """
    text = f"""\
[unix_http_server]
file = {layout.socket}
chmod = 0700
username = opsctl
password = {password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = {layout.services}/*.conf

[supervisord]
logfile = {layout.root}/supervisord.log
logfile_maxbytes = {LOG_BYTES}
logfile_backups = {LOG_BACKUPS}
pidfile = {layout.root}/supervisord.pid
childlogdir = {layout.logs}
umask = 077
minfds = 1024
nocleanup = true
{"user = root" if root else ""}
"""
    return f"{text}identifier = {hashlib.sha256(text.encode()).hexdigest()}\n"


def identifier(configuration: str) -> str:
    """Return the identifier in supervisord's configuration."""
    return configuration.rstrip().rpartition("identifier = ")[2]


def program(
    service: Service, layout: Layout, programs: Programs, *, level: int, user: str | None
) -> str:
    """Return supervisord's definition of a service; `level` orders the stops of a destroy."""
    return f"""\
[program:{service.key}]
command = {programs.shell} {layout.start(service.key)}
process_name = {service.digest()}
priority = {level}
autostart = false
autorestart = true
startsecs = 1
startretries = {RETRIES}
stopsignal = {service.stop_signal}
stopwaitsecs = {service.stop_within_s}
killasgroup = true
redirect_stderr = true
stdout_logfile = {layout.log(service.key)}
stdout_logfile_maxbytes = {LOG_BYTES}
stdout_logfile_backups = {LOG_BACKUPS}
{f"user = {user}" if user else ""}
"""


def start_script(service: Service, layout: Layout, programs: Programs, identity: str) -> str:
    """Return the script that becomes the service.

    The kernel tells the service to stop should supervisord die, so that no process
    outlives it unseen.
    """
    data = layout.folder(service.key, "data")
    variables = "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in marks(service, layout, identity).items()
    )
    polite = (
        (programs.chrt, "--batch", "0", programs.nice, "-n", str(NICE))
        if service.background
        else ()
    )
    words = (programs.setpriv, "--pdeathsig", service.stop_signal, "--", *polite, *service.argv)
    return f"""\
#!/bin/sh
# {service.key}, as it was last applied: {service.purpose}.
set -eu
umask 077
cd {shlex.quote(str(data))}
{variables}exec {shlex.join(words)}
"""


def marks(service: Service, layout: Layout, identity: str) -> Mapping[str, str]:
    """Return the variables of a service, with those by which its processes are known again."""
    return {
        "HOME": str(layout.folder(service.key, "data")),
        "TZ": "UTC",
        **service.environment,
        MARK: identity,
        SERVICE_MARK: service.key,
    }
