"""What a process of the trading group may take."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import Want, fast, made, slow
from opsctl.model.profile.setting import Means, Setting, Topic

GROUP = "trading"
_FILES = {**fast("1048576"), **slow("65536")}


def _limit(item: str, want: Want, why: str) -> Setting:
    return made(Topic.LIMITS, Means.LIMIT, f"{GROUP} {item}", want, why, sources.LIMITS)


SETTINGS = (
    _limit(
        "memlock",
        fast("unlimited"),
        "A process can lock its memory, so that no page of it is ever fetched from a disk.",
    ),
    _limit(
        "rtprio",
        fast("99"),
        "A thread can take a real-time priority, and gives way to no ordinary one.",
    ),
    _limit("nice", fast("-20"), "And the highest ordinary one, without being root."),
    _limit(
        "nofile",
        _FILES,
        "Sessions, streams and files of a process do not end at the 1024 of a login.",
    ),
)
