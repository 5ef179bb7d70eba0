"""Changes of how the server is reached are on trial until somebody has come in anew.

`begin` notes how to take them back and starts a timer that does so; `confirm` ends it. A boot
meanwhile takes them back too, before sshd starts. So whatever a change of sshd or of the firewall
does, the server can be reached again after `LIMIT_S`.
"""

from __future__ import annotations

import shlex

from ansible.module_utils.opsctl_box.system import STATE, System

FOLDER = STATE + "/trial"
UNDO = FOLDER + "/undo"
LIMIT_S = 120
"""A new connection takes a second; a slow link and a retry fit in as well."""
UNIT = "opsctl-undo.service"
TIMER = "opsctl-undo-timer"
_UNIT_FILE = f"/etc/systemd/system/{UNIT}"
_UNIT_TEXT = f"""\
# Written by opsctl provision; there while a change of sshd or of the firewall is on trial.
[Unit]
Description=Take back changes of access that nobody confirmed
DefaultDependencies=no
After=local-fs.target
Before=ssh.service network-pre.target
ConditionPathExists={UNDO}

[Service]
Type=oneshot
ExecStart=/bin/sh {UNDO}

[Install]
WantedBy=sysinit.target
"""


def keep(system: System, name: str, content: str) -> str:
    """Keep a file that the taking back needs, from before the first change; return its path."""
    path = f"{FOLDER}/{name}"
    if not system.at(path).exists():
        system.write(path, content, 0o600)
    return path


def begin(system: System, formers: dict[str, str | None], runs: list[list[str]]) -> None:
    """Put changes of some files on trial: their former content, and what loads it again.

    Changes may join a trial that runs; the timer starts anew, what is taken back is all of them.
    """
    system.at(FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = (system.read(UNDO) or "#!/bin/sh\n").splitlines()
    for path, former in formers.items():
        kept = f"{FOLDER}/{path.strip('/').replace('/', '.')}"
        if any(shlex.quote(path) in line for line in lines):
            continue
        if former is None:
            lines.append(f"rm -f {shlex.quote(path)}")
        else:
            system.write(kept, former, 0o600)
            lines.append(f"cp {shlex.quote(kept)} {shlex.quote(path)}")
    # The programs come last, and are allowed to fail: at boot there is nothing to be reloaded.
    lines = [line for line in lines if line not in _ENDING]
    lines += [line for line in map(shlex.join, runs) if line not in lines]
    files = [line for line in lines if line.startswith(_FILES)]
    programs = [line for line in lines if not line.startswith(("#", *_FILES))]
    system.write(UNDO, "\n".join(["#!/bin/sh", *files, *programs, *_ENDING]) + "\n", 0o700)
    system.write(_UNIT_FILE, _UNIT_TEXT)
    system.must("systemctl", "enable", UNIT)
    system.run("systemctl", "stop", f"{TIMER}.timer")
    system.must(
        *("systemd-run", f"--on-active={LIMIT_S}", f"--unit={TIMER}", "--collect"),
        *("--timer-property=AccuracySec=1s", "/bin/sh", UNDO),
    )


def runs(system: System) -> bool:
    """Return whether something is on trial."""
    return system.at(UNDO).exists()


def confirm(system: System) -> bool:
    """End a trial, as somebody has come in; return whether there was one."""
    if not runs(system):
        return False
    system.run("systemctl", "stop", f"{TIMER}.timer")
    system.run("systemctl", "disable", UNIT)
    system.remove(_UNIT_FILE)
    system.run("systemctl", "daemon-reload")
    for path in system.glob(f"{FOLDER}/*"):
        if path != UNDO:
            system.remove(path)
    system.remove(UNDO)
    system.at(FOLDER).rmdir()
    return True


_FILES = ("rm -f ", "cp ")
_ENDING = (f"rm -f {UNDO} {_UNIT_FILE}", f"rm -rf {FOLDER}")
"""Last of all: what was taken back is not taken back again."""
