"""The errors of opsctl: each names its cause, says what to do next, and has an exit code.

The tree is a contract: a caller may catch any class here, and the command line turns
each into one line, its hint, and its exit code (0 done, 1 failed, 2 usage, 3 unhealthy
or objective missed).
"""

from __future__ import annotations

from collections.abc import Sequence
from signal import SIGINT


class OpsctlError(Exception):
    """Something went wrong that the reader can act on.

    `message` says what happened, `hint` what to do about it, `details` are further
    lines (the end of a log, each fault of a file).
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", details: Sequence[str] = ()) -> None:
        """Keep the parts apart, so that JSON and tables render them differently."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


class UsageError(OpsctlError):
    """The request cannot be meant: an unknown environment, a bad flag, a faulty file."""

    exit_code = 2


class ObjectiveMissed(OpsctlError):
    """What was measured does not meet what the tier promises, or a service is unhealthy."""

    exit_code = 3


class Locked(OpsctlError):
    """Another opsctl holds the environment: the message says who, since when, doing what."""


class ToolMissing(OpsctlError):
    """A program is neither here nor obtainable: the hint has the commands that cure it."""


class DeployFailed(OpsctlError):
    """A deployment did not become healthy: what ran before runs again, details hold the log."""


class Contended(OpsctlError):
    """Another took what was chosen before it was in use: nothing was made, another choice helps."""


class Interrupted(OpsctlError):
    """A signal stopped a change at a safe point: the message says how far it came."""

    def __init__(
        self, message: str, *, hint: str = "", details: Sequence[str] = (), signal: int = SIGINT
    ) -> None:
        """Keep the number of the signal."""
        super().__init__(message, hint=hint, details=details)
        self.signal = signal
