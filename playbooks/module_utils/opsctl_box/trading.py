"""Finds what trades on a server at this moment."""

from __future__ import annotations

from ansible.module_utils.opsctl_box.system import System

_APP = "apps.execution"
_LABEL = "dev.opsctl.service"


def found(system: System) -> list[str]:
    """Return what trades: processes of the execution app, and containers of opsctl.

    Containers hold whichever app a firm put in; their label says which service it is.
    """
    processes = []
    for path in system.glob("/proc/[0-9]*/cmdline"):
        words = (system.read(path) or "").split("\0")
        if any(word == _APP or word.startswith(_APP + ".") for word in words):
            processes.append(f"process {path.split('/')[2]} ({_APP})")
    ask = ("docker", "ps", "--filter", f"label={_LABEL}", "--format")
    listed = system.run(*ask, '{{.Names}} {{.Label "' + _LABEL + '"}}', limit_s=15.0)
    containers = [] if listed.code else [f"container {one}" for one in listed.out.splitlines()]
    return processes + sorted(containers)
