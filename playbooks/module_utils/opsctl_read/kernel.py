"""The kernel's command line, sysctls, files under /sys and /proc, and files of the disk."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from ansible.module_utils.opsctl_read.answers import ABSENT, Answer, Answers, unreadable

MOST_BYTES = 1 << 20
_CHOSEN = re.compile(r"\[([^\]\s]+)\]")
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')


def text(path: str) -> str:
    """Return the content of a file, of which at most `MOST_BYTES`; raises `OSError`.

    A file that would make its reader wait is an error, not a wait.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is no regular file")
        parts: list[bytes] = []
        while sum(map(len, parts)) < MOST_BYTES:
            part = os.read(handle, 1 << 16)
            if not part:
                break
            parts.append(part)
    finally:
        os.close(handle)
    return b"".join(parts).decode("utf-8", "replace")


def names(folder: str) -> list[str]:
    """Return what is in a folder, in order; raises `OSError`."""
    return sorted(each.name for each in Path(folder).iterdir())


def words_of(cmdline: str) -> dict[str, str]:
    """Return the parameters of a command line; of a repeated one the last, as most readers do."""
    found = {}
    for word in _WORD.findall(cmdline):
        name, _, value = word.partition("=")
        found[name.strip('"')] = value.strip('"')
    return found


def cmdline(ats: Iterable[str]) -> Answers:
    """Read parameters of the running kernel; empty for one without a value."""
    found = words_of(text("/proc/cmdline"))
    missing = Answer(None, "it is not on the command line of the running kernel")
    return {at: Answer(found[at]) if at in found else missing for at in ats}


def sysctl(ats: Iterable[str], root: str = "/proc/sys") -> Answers:
    """Read keys, written with dots; a dot within a name is written as a slash, as sysctl does."""
    answers = {}
    for at in ats:
        path = at.translate(str.maketrans("./", "/."))
        answers[at] = _one(f"{root}/{path}", f"this kernel has no {at}")
        value = answers[at].value
        if value is not None:
            answers[at] = Answer(" ".join(value.split()))
    return answers


def sysfs(ats: Iterable[str]) -> Answers:
    """Read files under /sys or /proc; of a choice (`always [never]`) the chosen word."""
    answers = {}
    for at in ats:
        if not at.startswith(("/sys/", "/proc/")) or ".." in at.split("/"):
            answers[at] = Answer(None, "it is not a path under /sys or /proc")
            continue
        answers[at] = _one(at, "there is no such file on this machine")
        value = answers[at].value
        if value is not None:
            # So the kernel prints an empty list of CPUs in some files.
            answers[at] = Answer("" if value.strip() == "(null)" else chosen(value))
    return answers


def chosen(value: str) -> str:
    """Return what of a choice is chosen; all of what is no choice."""
    value = value.strip()
    words = value.split()
    marked = [word for word in words if _CHOSEN.fullmatch(word)]
    return marked[0][1:-1] if len(marked) == 1 and "\n" not in value else value


def files(ats: Iterable[str]) -> Answers:
    """Read whole files."""
    answers = {}
    for at in ats:
        try:
            answers[at] = Answer(text(at))
        except (FileNotFoundError, NotADirectoryError):
            answers[at] = Answer(ABSENT)
        except OSError as error:
            answers[at] = unreadable(error)
    return answers


def _one(path: str, missing: str) -> Answer:
    try:
        return Answer(text(path).rstrip("\n"))
    except (FileNotFoundError, NotADirectoryError):
        return Answer(None, missing)
    except OSError as error:
        return unreadable(error)
