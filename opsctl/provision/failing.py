"""What went wrong on a box, for a reader: the setting, what the module said, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from opsctl.model.value import Value
from opsctl.provision import places
from opsctl.provision.inventory import BoxHost

_LONGEST = 600
_REBOOT = ("boot", "Reboot, and wait for it to come back")
"""Role and task."""


class Raw(Value):
    """A failure as Ansible told it."""

    task: str
    role: str
    """The topic that it is of; empty where it is of none."""
    message: str
    unreachable: bool
    setting: str = ""


class Failure(Value):
    """A failure for a reader."""

    stage: str
    """Where it happened: `keys`, `connect`, `read`, `profile`, `apply`, `reboot`, `audit`,
    `drain`."""
    message: str
    hint: str
    task: str = ""
    setting: str = ""

    def __str__(self) -> str:
        """Return it as one line without the hint."""
        where = ": ".join(part for part in (self.task, self.setting) if part)
        return (
            f"{self.stage}: {where}: {self.message}" if where else f"{self.stage}: {self.message}"
        )


def raw(task: str, role: str, res: Mapping[str, Any], *, unreachable: bool) -> Raw:
    """Return what Ansible told of a task that failed: of a loop, the first item that did."""
    item = next(
        (one for one in res.get("results") or () if isinstance(one, Mapping) and one.get("failed")),
        res,
    )
    said = item.get("msg") or res.get("msg") or item.get("module_stderr") or "no reason was given"
    more = item.get("stderr") or item.get("module_stderr") or ""
    message = str(said).strip()
    if isinstance(more, str) and more.strip() and more.strip() not in message:
        message += f": {more.strip().splitlines()[-1]}"
    looped = item.get("item")
    setting = ""
    if isinstance(looped, Mapping):
        setting = str(looped.get("id") or looped.get("at") or "")
    setting = str(res.get("setting") or setting)
    return Raw(
        task=task,
        role=role,
        message=_short(message),
        unreachable=unreachable,
        setting=setting,
    )


def failure(stage: str, found: Raw, host: BoxHost) -> Failure:
    """Return a failure with what to do about it."""
    if (found.role, found.task) == _REBOOT:
        return Failure(
            stage="reboot",
            message=f"it did not come back from its reboot: {_plain(found.message)}",
            hint="look at its console. Its new command line is on trial: cut its power and give "
            "it back, and it boots the entry from before; then provision it again",
        )
    known = _known(found.message, host)
    if known is not None:
        kind, message, hint = known
        return Failure(stage=kind or stage, message=message, hint=hint, setting=found.setting)
    if found.unreachable:
        return Failure(
            stage="connect",
            message=_plain(found.message),
            hint=f"ssh -p {host.port} {_target(host)} should log in without a question",
        )
    return Failure(
        stage=stage,
        message=found.message,
        hint="the run's folder has all that Ansible printed; the box can be provisioned again",
        task=f"{found.role}: {found.task}" if found.role else found.task,
        setting=found.setting,
    )


def _known(text: str, host: BoxHost) -> tuple[str, str, str] | None:
    """Return stage, message and hint of what is known to happen."""
    low = text.lower()
    place = f"{host.address} port {host.port}"
    if any(words in low for words in _OTHER_KEY):
        return (
            "keys",
            f"{place} has another host key than the known one: installed anew, or an impostor",
            _NEW_KEY_HINT.format(file=places.known_hosts(), place=host.place),
        )
    if re.search(r"permission denied.*(publickey|password)|ssh authentication is incorrect", low):
        return (
            "connect",
            f"{_target(host)} does not take this key",
            _KEY_HINT,
        )
    for words, said in _UNREACHABLE.items():
        if words in low:
            return "connect", f"{place}: {said}", _REACH
    for pattern, said in _SUDO.items():
        if re.search(pattern, low):
            return "connect", f"{_target(host)} {said}", _SUDO_HINT
    if "no space left on device" in low:
        return "", _plain(text), "free the disk that is full (df -h on the box), then run again"
    if re.search(r"python3?: (not found|no such file)|interpreter.*not found", low):
        return (
            "connect",
            "there is no /usr/bin/python3 on the box",
            "apt-get install python3 there, or name another: ansible_python_interpreter",
        )
    return None


_OTHER_KEY = (
    "remote host identification has changed",
    "host key verification failed",
    "host key is known for",
    "unrecognized or mismatching host key",
)
"""A box whose key is not known at all is not asked by Ansible: it is another key."""
_NEW_KEY_HINT = (
    "ask who installed it; then ssh-keygen -f {file} -R '{place}', "
    "or correct opsctl_host_key in the inventory"
)
_KEY_HINT = (
    "put your public key into its authorized_keys, or name another key or account in the "
    "inventory: ansible_ssh_private_key_file, ansible_user"
)
_UNREACHABLE = {
    "connection refused": "nothing listens there",
    "no route to host": "there is no way to it",
    "network is unreachable": "there is no way to it",
    "timed out": "does not answer",
    "timeout": "does not answer",
    "could not resolve hostname": "the name is not known",
    "name or service not known": "the name is not known",
    "connection reset": "the connection was cut",
    "connection closed": "the connection was closed before a log-in",
}
_REACH = "is the box up, and ansible_host and ansible_port right? The other boxes went on"
_SUDO = {
    r"missing sudo password|a password is required|sudo password is incorrect"
    r"|incorrect sudo password|incorrect password": "may not sudo without its password",
    r"not in the sudoers|is not allowed to (run|execute)": "may not sudo",
    r"sudo: (command )?not found|sudo: no such file|could not find.*sudo"
    r"|no such file or directory.*sudo": "finds no sudo on the box",
}
_SUDO_HINT = (
    "let the account sudo without a password, or give the password by "
    "OPSCTL_BECOME_PASSWORD or --become-password-file FILE"
)


def _plain(text: str) -> str:
    cut = re.sub(
        r"^(failed to connect to the host via ssh|data could not be sent to remote host[^:]*):?\s*",
        "",
        text.strip(),
        flags=re.IGNORECASE,
    )
    lines = [line.strip() for line in cut.splitlines() if line.strip()]
    return _short(lines[-1] if lines else text)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _target(host: BoxHost) -> str:
    return f"{host.user}@{host.address}" if host.user else host.address
