"""The kernel's command line: written for GRUB, verified before a reboot, and on trial in it.

The entry with new words is booted once (`next_entry`); the saved one stays the entry from before
until a unit of ours, at the end of a boot that has every word, saves the new one. A box that does
not come up is therefore back as it was after a power cycle.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible.module_utils.opsctl_box import grub
from ansible.module_utils.opsctl_box.record import Record
from ansible.module_utils.opsctl_box.system import Refused, System

TOPIC, MEANS, AT = "boot", "cmdline", "grub"
MENU = "/boot/grub/grub.cfg"
SETTINGS = "/etc/default/grub.d/90-opsctl.cfg"
FALLBACK = "/etc/grub.d/42_opsctl"
UNIT = "opsctl-boot-good.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
GRUB_ENVIRONMENT = "/boot/grub/grubenv"
_LIMIT_S = 600.0


class Booted(NamedTuple):
    """What became of the command line."""

    changes: list[dict[str, str]]
    reboot_for: list[str]
    """The words that the running kernel lacks, or has and should not."""
    entry: str
    """The entry that is to boot."""
    kernel: str


def running(system: System) -> tuple[str, list[str]]:
    """Return the running kernel, and its command line."""
    release = (system.read("/proc/sys/kernel/osrelease") or "").strip()
    return release, (system.read("/proc/cmdline") or "").split()


def words_of(settings: list[dict[str, Any]]) -> list[str]:
    """Return settings as words: `nohz_full=1`; without a value the name alone."""
    return [f"{one['at']}={one['want']}" if str(one["want"]) else one["at"] for one in settings]


def hold(system: System, words: list[str], check: bool) -> Booted:
    """Have these words, and of ours no others, in the entry that boots next.

    Raises `Refused`: then the menu is as it was.
    """
    record = Record(system)
    kernel, now = running(system)
    kept = record.of(TOPIC, MEANS).get(AT)
    if not words:
        return _take_back(system, record, kept, check)
    try:
        text = grub.settings(words)
    except ValueError as fault:
        raise Refused(str(fault)) from fault
    former = system.read(SETTINGS)
    menu = _menu(system)
    entry = grub.of_kernel(menu, kernel)
    lacking = [word for word in words if word not in now]
    dropped = [word for word in (kept or {}).get("words", []) if word in now and word not in words]
    changes = [] if former == text else [_change(SETTINGS, former, text)]
    stale = bool(changes) or bool(_unfit(system, entry, words)) or not _has_fallback(system, menu)
    if stale and not changes:
        changes = [_change(MENU, "lacks wanted words or the fallback", "has them")]
    if entry and not changes and system.read(UNIT_FILE) != _unit_text(entry, words):
        changes = [_change(UNIT_FILE, system.read(UNIT_FILE), _unit_text(entry, words))]
    if check:
        return Booted(changes, lacking + dropped, entry.id if entry else "", kernel)
    if stale:
        if entry is None:
            raise Refused(f"{MENU} has no entry for the running kernel {kernel}: run update-grub")
        entry = _written(system, record, kept, entry, words, text, former)
    if entry is None:  # cannot be: what is not stale has one
        raise Refused(f"{MENU} has no entry for {kernel}")
    _choose(system, entry, words, on_trial=bool(lacking))
    record.for_boot(MEANS, {SETTINGS: text, UNIT_FILE: _unit_text(entry, words)}, [UNIT])
    return Booted(changes, lacking + dropped, entry.id, kernel)


def _written(
    system: System,
    record: Record,
    kept: Any,
    entry: grub.Entry,
    words: list[str],
    text: str,
    former: str | None,
) -> grub.Entry:
    """Write the files and the menu, and return the entry that has the words."""
    if kept is None:
        known = grub.environment(system.run("grub-editenv", "-", "list").out)
        new = [word for word in words if word not in entry.words]
        kept = {"saved_entry": known.get("saved_entry", ""), "words": []}
        record.keep(TOPIC, MEANS, {AT: {**kept, "words": new}})
    else:
        new = [word for word in words if word not in kept["words"]]
        kept["words"] += new
        record.update(MEANS, AT, kept)
    if not _has_fallback(system, _menu(system)):
        system.write(FALLBACK, grub.fallback(entry, record.of(TOPIC, MEANS)[AT]["words"]), 0o755)
    system.write(SETTINGS, text)
    try:
        system.must("update-grub", limit_s=_LIMIT_S)
        menu = _menu(system)
        kernel, _ = running(system)
        made = grub.of_kernel(menu, kernel)
        if why := _unfit(system, made, words):
            raise Refused(f"{MENU} as generated is not fit to boot, so it was taken back: {why}")
        if not _has_fallback(system, menu):
            raise Refused(f"{MENU} as generated has no entry to fall back to, so it was taken back")
    except Refused:
        if former is None:
            system.remove(SETTINGS)
        else:
            system.write(SETTINGS, former)
        system.run("update-grub", limit_s=_LIMIT_S)
        raise
    assert made is not None  # noqa: S101 (`_unfit` says so of none)
    return made


def _choose(system: System, entry: grub.Entry, words: list[str], on_trial: bool) -> None:
    """Boot the entry for good if it has shown that it comes up, else once."""
    unit = _unit_text(entry, words)
    if system.read(UNIT_FILE) != unit:
        system.write(UNIT_FILE, unit)
        system.must("systemctl", "daemon-reload")
        system.must("systemctl", "enable", UNIT)
    known = grub.environment(system.must("grub-editenv", "-", "list"))
    saved = grub.BEFORE_ID if on_trial else entry.id
    if known.get("saved_entry") != saved:
        system.must("grub-set-default", saved)
    if on_trial and known.get("next_entry") != entry.id:
        system.must("grub-reboot", entry.id)
    if not on_trial and known.get("next_entry"):
        system.must("grub-editenv", GRUB_ENVIRONMENT, "unset", "next_entry")


def _take_back(system: System, record: Record, kept: Any, check: bool) -> Booted:
    kernel, now = running(system)
    if kept is None:
        return Booted([], [], "", kernel)
    changes = []
    if (former := system.read(SETTINGS)) is not None:
        changes.append(_change(SETTINGS, former, None))
    left = [word for word in kept["words"] if word in now]
    if not check:
        if changes or system.read(FALLBACK) is not None:
            system.remove(SETTINGS)
            system.remove(FALLBACK)
            if system.read(UNIT_FILE) is not None:
                system.run("systemctl", "disable", UNIT)
                system.remove(UNIT_FILE)
                system.run("systemctl", "daemon-reload")
            if kept["saved_entry"]:
                system.must("grub-set-default", kept["saved_entry"])
            else:
                system.run("grub-editenv", GRUB_ENVIRONMENT, "unset", "saved_entry")
            system.run("grub-editenv", GRUB_ENVIRONMENT, "unset", "next_entry")
            system.must("update-grub", limit_s=_LIMIT_S)
        record.for_boot(MEANS, {})
        if not left:
            record.forget(MEANS, [AT])
    return Booted(changes, left, "", kernel)


def _menu(system: System) -> list[grub.Entry]:
    text = system.read(MENU)
    if text is None:
        raise Refused(f"{MENU} cannot be read: is GRUB the boot loader of this server?")
    return grub.entries(text)


def _has_fallback(system: System, menu: list[grub.Entry]) -> bool:
    """Return whether the entry from before is there, with a kernel that is there still."""
    return any(one.id == grub.BEFORE_ID and not _unfit(system, one, []) for one in menu)


def _unfit(system: System, entry: grub.Entry | None, words: list[str]) -> str:
    """Return why an entry would not boot with these words; empty where it would."""
    if entry is None:
        return "it has no entry for the running kernel"
    if missing := [word for word in words if word not in entry.words]:
        return f"its entry lacks {' '.join(missing)}"
    for path in (entry.kernel, entry.initrd):
        name = path.rsplit("/", 1)[-1]
        file = system.at(f"/boot/{name}")
        if not name or not file.exists() or not file.stat().st_size:
            return f"/boot/{name or 'initrd'} is not there"
    return ""


def _change(path: str, was: str | None, want: str | None) -> dict[str, str]:
    return {"setting": "cmdline", "at": path, "was": was or "(none)", "want": want or "(none)"}


def _unit_text(entry: grub.Entry, words: list[str]) -> str:
    conditions = "".join(
        f"ConditionKernelCommandLine={word.replace('%', '%%')}\n" for word in words
    )
    return (
        "# Written by opsctl provision.\n"
        "[Unit]\n"
        "Description=Save the boot entry for trading, as it has come up\n"
        "After=ssh.service\n"
        f"{conditions}"
        "\n[Service]\n"
        "Type=oneshot\n"
        f"ExecStart=/usr/sbin/grub-set-default '{entry.id}'\n"
        f"ExecStart=/usr/bin/grub-editenv {GRUB_ENVIRONMENT} unset next_entry\n"
        "\n[Install]\n"
        "WantedBy=multi-user.target\n"
    )
