"""Faults that a test injects into the provider, and the calls that it made.

The engine starts one provider a region, so the count of calls is kept in a file that they
share. A fault hits a call before AWS is asked, or after AWS has done what it was asked and
before the engine learns of it: the instant at which a kill leaves something unrecorded.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.support.aws.cloud import refusal

VARIABLE = "OPSCTL_TEST_AWS_FAULTS"
"""The folder with the faults and the calls, for the provider's processes."""

CODES = {
    "denied": ("UnauthorizedOperation", "You are not authorized to perform this operation."),
    "throttled": ("RequestLimitExceeded", "Request limit exceeded."),
    "quota": ("ResourceLimitExceeded", "The maximum number of resources has been reached."),
    "expired": ("ExpiredToken", "The security token included in the request is expired"),
    "broken": ("InternalError", "An internal error has occurred"),
}
"""What AWS says, by kind of fault."""


class Held:
    """A call that waits until the test releases it, or kills the process that makes it."""

    def __init__(self, fifo: Path) -> None:
        """Wait on a named pipe, which the provider opens to read."""
        self._fifo = fifo
        self._opened: int | None = None

    def reached(self, timeout_s: float = 60.0) -> None:
        """Return when the call has come to where it is held."""
        from tests.support.process import wait_for  # of a test: a provider starts without it

        wait_for(self._open, "the call that is to be held", timeout_s)

    def _open(self) -> bool:
        try:
            self._opened = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads yet
                raise
            return False
        return True

    def release(self) -> None:
        """Let the call go on."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None


class Faults:
    """What goes wrong, and what was called, in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; its faults, if there are any, stay in force."""
        self._folder = folder
        folder.mkdir(exist_ok=True, parents=True)

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which the provider finds it."""
        return {VARIABLE: str(self._folder)}

    def fail(
        self,
        action: str,
        type_: str = "",
        fault: str = "broken",
        *,
        nth: int = 1,
        times: int = 1,
        name: str = "",
        after: bool = False,
    ) -> None:
        """Have calls fail as `CODES` says: `times` from the nth on (0: for ever).

        `action` is create, read, update or delete; `type_` the token and `name` the resource's
        name, each any if empty.
        """
        code, message = CODES[fault]
        self._add(action, type_, nth, times, name, after, code=code, message=message)

    def hold(
        self, action: str, type_: str = "", *, nth: int = 1, name: str = "", after: bool = False
    ) -> Held:
        """Have one call wait; `after` it was made, or before."""
        fifo = self._folder / f"held-{len(self._faults())}"
        os.mkfifo(fifo)
        self._add(action, type_, nth, 1, name, after, fifo=str(fifo))
        return Held(fifo)

    def clear(self) -> None:
        """Have nothing go wrong from now on, and forget the calls."""
        (self._folder / "faults.json").unlink(missing_ok=True)
        (self._folder / "calls").unlink(missing_ok=True)
        for fifo in self._folder.glob("held-*"):
            fifo.unlink()

    def calls(self, *actions: str) -> list[tuple[str, str, str]]:
        """Return (action, token, name) of what the provider was asked to do, in order."""
        made = [tuple(json.loads(line)) for line in self._lines()]
        return [one for one in made if not actions or one[0] in actions]

    def _add(
        self, action: str, type_: str, nth: int, times: int, name: str, after: bool, **does: str
    ) -> None:
        fault = {"action": action, "type": type_, "nth": nth, "times": times, "name": name}
        faults = [*self._faults(), {**fault, "after": after, **does}]
        # Counted from now on: what was called before is no matter of this fault's.
        faults[-1]["from"] = len(self._lines())
        new = self._folder / "faults.json.new"
        new.write_text(json.dumps(faults))
        new.replace(self._folder / "faults.json")

    def _faults(self) -> list[dict[str, Any]]:
        try:
            faults: list[dict[str, Any]] = json.loads((self._folder / "faults.json").read_text())
        except FileNotFoundError:
            return []
        return faults

    def _lines(self) -> list[str]:
        try:
            return (self._folder / "calls").read_text().splitlines()
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def around(self, action: str, token: str, name: str) -> Iterator[None]:
        """Do what is injected before and after a call of the provider's."""
        with (self._folder / "calls").open("a+") as calls:
            fcntl.flock(calls, fcntl.LOCK_EX)
            calls.write(json.dumps([action, token, name]) + "\n")
            calls.flush()
            made = [json.loads(line) for line in self._lines()]
        hit = [one for one in self._faults() if _hits(one, made)]
        for fault in hit:
            if not fault["after"]:
                _do(fault, action)
        yield
        for fault in hit:
            if fault["after"]:
                _do(fault, action)


def injected() -> Faults | None:
    """Return what the environment of this process says; None if it says nothing."""
    folder = os.environ.get(VARIABLE)
    return Faults(Path(folder)) if folder else None


def _hits(fault: dict[str, Any], made: list[list[str]]) -> bool:
    """Whether the last of the calls is one that a fault is for."""

    def meant(call: list[str]) -> bool:
        wanted = (fault["action"], fault["type"], fault["name"])
        return all(one in ("", given) for one, given in zip(wanted, call, strict=True))

    count = sum(map(meant, made[fault["from"] :]))
    last = fault["nth"] + fault["times"] if fault["times"] else count + 1
    return meant(made[-1]) and fault["nth"] <= count < last


def _do(fault: dict[str, Any], action: str) -> None:
    if "fifo" in fault:
        with Path(fault["fifo"]).open("rb") as held:  # returns when the test opens it,
            held.read()  # and this when the test closes it
        return
    raise _error(fault, action)


def _error(fault: dict[str, Any], action: str) -> ClientError:
    return refusal(fault["code"], fault["message"], action.capitalize())
