"""How Ansible reaches boxes: its settings for one run, as environment variables."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from opsctl.images.ssh import CONFIG
from opsctl.provision import places, programs

MITOGEN = "OPSCTL_MITOGEN"
"""`0` in this variable has Ansible run without Mitogen, `1` with it even to read boxes.

Mitogen makes many tasks several times faster. To read a box is one task: what Mitogen sends first
costs more than it saves (`python -m tests.bench --only boxes` has the ratio).
"""
CONNECT_TIMEOUT_S = 30
KEEP_S = 60
"""How long a connection stays open for the next playbook."""
SOCKET_ROOM = 60
"""The longest folder that leaves room for a socket's name: the kernel takes 107 bytes in all."""

_PASSED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "SSH_AUTH_SOCK",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_RUNTIME_DIR",
)
"""Of our own environment: what ssh and sudo need, and no secret of anything else."""


def environment(
    *,
    known_hosts: Path,
    become_password_file: Path | None = None,
    task_timeout_s: int = 0,
    tasks: bool = True,
) -> dict[str, str]:
    """Return the environment of one run of Ansible, by Mitogen where that is faster.

    Args:
        known_hosts: the keys that hosts may have; any other is refused.
        become_password_file: holds the password for sudo; None where sudo asks for none.
        task_timeout_s: longest time of one task on one box; 0: none.
        tasks: whether there are many tasks, and Mitogen is worth its start.
    """
    found = {name: os.environ[name] for name in _PASSED if name in os.environ}
    found |= {
        "ANSIBLE_CONFIG": str(programs.configuration()),
        "ANSIBLE_HOME": str(places.boxes() / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_HOST_KEY_CHECKING": "1",
        "ANSIBLE_SSH_ARGS": ssh_arguments(known_hosts),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(_sockets()),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_TIMEOUT": str(CONNECT_TIMEOUT_S),
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
    }
    if become_password_file is not None:
        found["ANSIBLE_BECOME_PASSWORD_FILE"] = str(become_password_file)
    if task_timeout_s:
        found["ANSIBLE_TASK_TIMEOUT"] = str(task_timeout_s)
    fast = os.environ.get(MITOGEN, "1" if tasks else "0") != "0"
    strategies = programs.mitogen() if fast else None
    if strategies is not None:
        found["ANSIBLE_STRATEGY_PLUGINS"] = str(strategies)
        found["ANSIBLE_STRATEGY"] = "mitogen_linear"
    return found


def ssh_arguments(known_hosts: Path) -> str:
    """Return the arguments of ssh: only hosts whose key is known, one connection for a run."""
    options = {
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": os.devnull,
        "UpdateHostKeys": "no",
        "BatchMode": "yes",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "3",
        "ControlMaster": "auto",
        "ControlPersist": f"{KEEP_S}s",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    if config := os.environ.get(CONFIG):
        words = ["-F", config, *words]
    return shlex.join(words)


def _sockets() -> Path:
    """Return the folder of the sockets of open connections, which only this user may enter."""
    folder = places.boxes() / "ssh"
    if len(os.fsencode(folder)) > SOCKET_ROOM:
        folder = Path(os.environ.get("XDG_RUNTIME_DIR", "~/.ansible")).expanduser() / "opsctl"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
