"""Accounts, and the limits of what runs as a group."""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Iterable
from pathlib import Path

from ansible.module_utils.opsctl_read.answers import ABSENT, Answer, Answers
from ansible.module_utils.opsctl_read.kernel import names, text

LIMITS = ("limits.conf", "limits.d/*.conf")
_NAMES = {
    "core": ("Max core file size", 1024),
    "data": ("Max data size", 1024),
    "fsize": ("Max file size", 1024),
    "memlock": ("Max locked memory", 1024),
    "nofile": ("Max open files", 1),
    "rss": ("Max resident set", 1024),
    "stack": ("Max stack size", 1024),
    "cpu": ("Max cpu time", 60),
    "nproc": ("Max processes", 1),
    "as": ("Max address space", 1024),
    "locks": ("Max file locks", 1),
    "sigpending": ("Max pending signals", 1),
    "msgqueue": ("Max msgqueue size", 1),
    "nice": ("Max nice priority", 1),
    "rtprio": ("Max realtime priority", 1),
}
"""Of each item of limits.conf: its name in /proc/PID/limits, and what one unit of it is there."""
_FIELDS = re.compile(r"\s{2,}")
_UNLIMITED = frozenset({"unlimited", "infinity", "-1"})

Limit = tuple[str, str]
"""Soft and hard."""


def accounts(ats: Iterable[str]) -> Answers:
    """Read `user NAME`: its groups, the first one first; `group NAME`: `present`."""
    answers = {}
    for at in ats:
        kind, _, name = at.partition(" ")
        try:
            answers[at] = _account(kind, name)
        except KeyError:
            answers[at] = Answer(ABSENT)
    return answers


def _account(kind: str, name: str) -> Answer:
    if kind == "group":
        grp.getgrnam(name)
        return Answer("present")
    if kind != "user":
        return Answer(None, "write it as `user NAME` or `group NAME`")
    first = pwd.getpwnam(name).pw_gid
    more = sorted(each.gr_name for each in grp.getgrall() if name in each.gr_mem)
    try:
        mine = grp.getgrgid(first).gr_name
    except KeyError:
        mine = str(first)
    return Answer(",".join([mine, *(group for group in more if group != mine)]))


def limits(ats: Iterable[str]) -> Answers:
    """Read `GROUP ITEM` as a process of the group has it; without one, as a login would get it."""
    lines = _configured()
    running: dict[str, list[int]] = {}
    answers = {}
    for at in ats:
        group, _, item = at.partition(" ")
        if item not in _NAMES:
            answers[at] = Answer(None, f"write it as GROUP ITEM; items are {', '.join(_NAMES)}")
            continue
        if group not in running:
            running[group] = _processes(group)
        answers[at] = _limit(group, item, running[group], lines)
    return answers


def _limit(group: str, item: str, pids: Iterable[int], lines: list[tuple[str, str]]) -> Answer:
    seen: dict[Limit, int] = {}
    for pid in pids:
        try:
            seen.setdefault(process_limit(text(f"/proc/{pid}/limits"), item), pid)
        except OSError:
            continue  # it has ended since
    if seen:
        values = ", ".join(shown(limit) for limit in sorted(seen))
        return Answer(values, f"read of process {', '.join(map(str, seen.values()))}")
    found = configured_limit(lines, group, item)
    if found is None:
        return Answer(ABSENT, f"no process of {group} runs, and no file of PAM has a limit for it")
    limit, path = found
    return Answer(shown(limit), f"no process of {group} runs; a login gets it by {path}")


def shown(limit: Limit) -> str:
    """Return one value where soft and hard are the same."""
    soft, hard = limit
    return soft if soft == hard else f"soft {soft} hard {hard}"


def process_limit(table: str, item: str) -> Limit:
    """Return a limit of /proc/PID/limits in the unit of limits.conf."""
    name, unit = _NAMES[item]
    for line in table.splitlines():
        if line.startswith(name):
            soft, hard = _FIELDS.split(line[len(name) :].strip())[:2]
            return _in_units(soft, item, unit), _in_units(hard.split()[0], item, unit)
    return "", ""


def _in_units(value: str, item: str, unit: int) -> str:
    if value == "unlimited":
        return value
    return str(20 - int(value)) if item == "nice" else str(int(value) // unit)


def configured_limit(
    lines: Iterable[tuple[str, str]], group: str, item: str
) -> tuple[Limit, str] | None:
    """Return what PAM gives a member of a group that has no line of its own, and by which file.

    `lines` are pairs of file and line, in PAM's order: a later line wins over an earlier one, a
    line of a group over one of everybody.
    """
    soft, hard, by, rank = "", "", "", {"soft": 0, "hard": 0}
    for path, line in lines:
        words = line.partition("#")[0].split()
        if len(words) != 4 or words[2] != item or words[0] not in (f"@{group}", "*"):
            continue
        mine = 2 if words[0].startswith("@") else 1
        value = "unlimited" if words[3] in _UNLIMITED and item != "nice" else words[3]
        if words[1] in ("soft", "-") and mine >= rank["soft"]:
            soft, by, rank["soft"] = value, path, mine
        if words[1] in ("hard", "-") and mine >= rank["hard"]:
            hard, by, rank["hard"] = value, path, mine
    if not soft and not hard:
        return None
    return (soft or "default", hard or "default"), by


def _configured() -> list[tuple[str, str]]:
    found = []
    for pattern in LIMITS:
        for path in sorted(Path("/etc/security").glob(pattern)):
            try:
                found += [(str(path), line) for line in text(str(path)).splitlines()]
            except OSError:
                continue
    return found


def _processes(group: str) -> list[int]:
    """Return the processes that run as a group."""
    try:
        wanted = grp.getgrnam(group).gr_gid
    except KeyError:
        return []
    found = []
    for name in names("/proc"):
        try:
            if name.isdigit() and f"\nGid:\t{wanted}\t" in text(f"/proc/{name}/status"):
                found.append(int(name))
        except OSError:
            continue
    return found
