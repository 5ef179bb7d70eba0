"""What a server was before: kept on it before the first change, and given back by a rollback.

`before.json` holds, for each setting that was ever written, its former state. An entry is made
once, before its setting is first touched, and goes when the setting has been put back. What is
still to be done after a file was written (restart a service, reboot) is kept in `pending.json`
together with the boot that it was written in, so that a run that was cut off loses none of it.
`boot.json` has the digests of the files that make settings hold after a boot: an audit compares
them, since the running kernel does not tell of a file that somebody changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from ansible.module_utils.opsctl_box.system import STATE, Refused, System

BEFORE = STATE + "/before.json"
PENDING = STATE + "/pending.json"
BOOT = STATE + "/boot.json"
LOCK = STATE + "/lock"
FORMAT = 1
PRIVATE = 0o600
ENABLED = "/etc/systemd/system/*.wants"
"""Where a unit that is enabled has a link."""


class Record:
    """The files, read; every change is on the disk before it is relied on."""

    def __init__(self, system: System) -> None:
        """Read what there is. Raises `Refused` for a file of a later release, or a broken one."""
        self._system = system
        kept = _load(system, BEFORE) or {"format": FORMAT, "settings": {}}
        if kept["format"] != FORMAT:
            raise Refused(
                f"{BEFORE} has format {kept['format']}, and this opsctl knows {FORMAT}: "
                "use the release of opsctl that provisioned this server"
            )
        self._settings: dict[str, dict[str, Any]] = kept["settings"]
        self._pending: list[dict[str, Any]] = _load(system, PENDING) or []
        self._boot: dict[str, dict[str, str]] = _load(system, BOOT) or {}

    def of(self, topic: str, means: str) -> dict[str, Any]:
        """Return the former states of a topic's settings of one means, by where they live."""
        return {
            one["at"]: one["was"]
            for one in self._settings.values()
            if (one["topic"], one["means"]) == (topic, means)
        }

    def keep(self, topic: str, means: str, states: dict[str, Any]) -> None:
        """Keep the states of settings that are about to be written for the first time."""
        new = {
            f"{means} {at}": {"topic": topic, "means": means, "at": at, "was": state}
            for at, state in states.items()
            if f"{means} {at}" not in self._settings
        }
        if new:
            self._settings.update(new)
            self._save()

    def update(self, means: str, at: str, was: Any) -> None:
        """Add to what is kept of a setting."""
        self._settings[f"{means} {at}"]["was"] = was
        self._save()

    def move(self, topic: str, means: str, ats: list[str]) -> None:
        """Have settings that another topic wrote before belong to this one from now on."""
        moved = [
            one
            for at in ats
            for one in [self._settings.get(f"{means} {at}")]
            if one is not None and one["topic"] != topic
        ]
        for one in moved:
            one["topic"] = topic
        if moved:
            self._save()

    def forget(self, means: str, ats: list[str]) -> None:
        """Drop the entries of settings that are as they were."""
        if ats:
            for at in ats:
                self._settings.pop(f"{means} {at}", None)
            self._save()

    def left(self) -> list[str]:
        """Return the settings that are not put back."""
        return sorted(self._settings)

    def topics(self) -> list[str]:
        """Return the topics that wrote something which is not put back."""
        return sorted({one["topic"] for one in self._settings.values()})

    def owe(self, run: list[str] | None, because: str) -> None:
        """Note a command that must follow a file that is about to be written; None for a reboot."""
        owed = {"run": run, "because": because, "boot": self._system.boot_id}
        if owed not in self._pending:
            self._pending.append(owed)
            self._save_pending()

    def owed(self) -> list[list[str]]:
        """Return the commands to run; a boot since has done what they would do."""
        runs = []
        for one in self._pending:
            if one["run"] and one["boot"] == self._system.boot_id and one["run"] not in runs:
                runs.append(one["run"])
        return runs

    def paid(self, run: list[str]) -> None:
        """Drop a command that has been run."""
        self._pending = [one for one in self._pending if one["run"] != run]
        self._save_pending()

    def reboot_for(self) -> list[str]:
        """Return the files that hold only after a reboot which has not been yet."""
        return sorted(
            {
                one["because"]
                for one in self._pending
                if one["run"] is None and one["boot"] == self._system.boot_id
            }
        )

    def for_boot(self, owner: str, files: dict[str, str], units: Iterable[str] = ()) -> None:
        """Keep what makes an owner's settings hold after a boot: files, and units enabled."""
        wanted = {path: hashlib.sha256(_raw(text)).hexdigest() for path, text in files.items()}
        wanted.update({f"{ENABLED}/{unit}": "" for unit in units})
        if self._boot.get(owner, {}) == wanted:
            return
        self._boot[owner] = wanted
        kept = {name: of for name, of in self._boot.items() if of}
        self._system.write(BOOT, json.dumps(kept, indent=1, sort_keys=True) + "\n", PRIVATE)

    def _save(self) -> None:
        kept = {"format": FORMAT, "settings": self._settings}
        self._system.write(BEFORE, json.dumps(kept, indent=1, sort_keys=True) + "\n", PRIVATE)

    def _save_pending(self) -> None:
        self._system.write(PENDING, json.dumps(self._pending, indent=1) + "\n", PRIVATE)


@contextlib.contextmanager
def held(system: System) -> Iterator[None]:
    """Keep others from writing to this server meanwhile."""
    folder = system.at(STATE)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with system.at(LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise Refused(
                "another provisioning writes to this server right now; wait for its end"
            ) from fault
        yield


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _load(system: System, path: str) -> Any:
    text = system.read(path)
    if text is None:
        if system.at(path).exists():
            raise Refused(f"{path} cannot be read: provisioning needs to be root")
        return None
    try:
        return json.loads(text)
    except ValueError as fault:
        raise Refused(
            f"{path} is damaged ({fault}); restore it from a backup of this server"
        ) from fault
