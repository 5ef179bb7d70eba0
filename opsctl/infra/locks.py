"""The engine's own lock on a stack: who holds it, and whether its holder is still there.

It lies with the state, so that it binds other machines as well, and nobody takes it away
when its holder is killed.
"""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsctl.errors import Locked
from opsctl.model.value import Value

_HOLDER = re.compile(
    r"created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)"
)


class Holder(Value):
    """Who holds the lock of a stack."""

    user: str
    host: str
    pid: int
    since: datetime


def holders(refusal: str) -> tuple[Holder, ...]:
    """Return the holders that the engine names when it refuses."""
    return tuple(
        Holder(
            user=found["user"],
            host=found["host"],
            pid=int(found["pid"]),
            since=_time(found["since"]),
        )
        for found in _HOLDER.finditer(refusal)
    )


def stale(holder: Holder, *, shared: bool, unsettled: datetime | None) -> bool:
    """Return whether the holder is an engine of this machine that has died.

    Where the state is `shared` by machines, of which another may bear this one's name, only
    a lock counts that is younger than the first run of this machine that was killed.
    """
    if holder.host != socket.gethostname() or _runs(holder.pid):
        return False
    return not shared or (
        unsettled is not None and holder.since >= unsettled.replace(microsecond=0)
    )


def outlived(holder: Holder, *, lasts: timedelta | None, now: datetime) -> bool:
    """Return whether a lock is older than any engine holds it; None: nobody can say."""
    return lasts is not None and now - holder.since > lasts


def refused(environment: str, refusal: str) -> Locked:
    """Return the error for whoever wants a stack that another holds."""
    found = holders(refusal)
    names = [
        f"{h.user} on {h.host} (pid {h.pid}) since {h.since:%Y-%m-%dT%H:%M:%SZ}" for h in found
    ]
    return Locked(
        f"the stack of {environment} is held by {', '.join(names) or 'another update'}",
        hint="wait until it ends; where that machine is gone for good: "
        f"opsctl stack repair {environment} --break-lock",
    )


def _runs(pid: int) -> bool:
    """Return whether a pid is an engine that lives; one that nobody has waited for does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    name, _, rest = text.partition("(")[2].rpartition(")")
    return name == "pulumi" and rest.split()[0] not in ("Z", "X")


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
