"""What a reader says of one setting: its value, or why there is none."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from typing import NamedTuple

ABSENT = "absent"
"""Of an account, a file, a package or a table of rules that is not there: that is a state."""
LIMIT_S = 10.0


class Answer(NamedTuple):
    """A value; none where it cannot be told, with the reason. One with a value may have a note."""

    value: str | None
    reason: str = ""


Answers = dict[str, Answer]


class Unreadable(Exception):
    """Something cannot be read; says why in one line."""


def unreadable(error: OSError) -> Answer:
    """Return the answer for what the system refused to read."""
    return Answer(None, error.strerror or str(error))


def all_without(ats: Iterable[str], reason: str) -> Answers:
    """Return the same reason for each."""
    return {at: Answer(None, reason) for at in ats}


class Ended(NamedTuple):
    """How a program ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Return its last line of complaint."""
        lines = [line for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"it exited {self.code} and said nothing"


def run(*argv: str, limit_s: float = LIMIT_S) -> Ended:
    """Run a program, without a shell, in the plain locale and with the paths of root.

    Raises `Unreadable` where it is not installed or takes longer than `limit_s` seconds.
    """
    env = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS": "0"}
    try:
        ended = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
            env=env,
        )
    except FileNotFoundError:
        raise Unreadable(f"{argv[0]} is not installed") from None
    except PermissionError:
        raise Unreadable(f"{argv[0]} may not be run by this account") from None
    except subprocess.TimeoutExpired:
        raise Unreadable(f"{argv[0]} did not answer in {limit_s:.0f} s") from None
    return Ended(
        ended.returncode,
        ended.stdout.decode("utf-8", "replace"),
        ended.stderr.decode("utf-8", "replace"),
    )
