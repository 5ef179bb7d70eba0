"""What engines say of containers, as what runs of an environment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.model.hosts import DockerHost
from opsctl.services.base import Service
from opsctl.targets.base import Running
from opsctl.targets.docker import naming, standing
from opsctl.targets.docker.containers import Containers

Seen = Mapping[str, Any]
"""What an engine says of a container."""


def running(key: str, found: Seen, rss_bytes: int | None) -> Running:
    """Return what runs of a service."""
    state, labels = found["State"], found["Config"]["Labels"]
    name, _, site = key.partition("@")
    pid, now = state["Pid"] or None, datetime.now(UTC)
    return Running(
        name=name,
        site=site,
        state=standing.state(found, now),
        made_from=labels.get(naming.MADE_FROM, ""),
        pid=pid,
        started_at=datetime.fromisoformat(f"{state['StartedAt'][:19]}+00:00") if pid else None,
        rss_bytes=rss_bytes if pid else None,
        detail=standing.detail(found, now),
    )


def out_of_reach(
    host: DockerHost, why: OpsctlError, services: Sequence[Service]
) -> Iterator[Running]:
    """Yield the services of a host that does not answer: what they do, nobody can say."""
    for service in services:
        if service.site in (*host.places, host.relay):
            yield Running(
                name=service.name,
                site=service.site,
                state="failed",
                made_from="",
                detail=f"its host is out of reach: {why.message}",
            )


def rss_bytes(containers: Containers, found: Seen, *, here: bool) -> int | None:
    """Return the memory of a container's first process; its children are small or none.

    Of one on this machine by the kernel, else of the whole container by its engine.
    """
    pid = found["State"]["Pid"]
    if not pid:
        return None
    if here:
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        return None
    with contextlib.suppress(OpsctlError):
        with errors(containers.engine.address):
            said = containers.api.stats(found["Id"], stream=False, one_shot=True)
        parts = said.get("memory_stats", {}).get("stats", {})
        return int(parts.get("rss") or parts.get("anon") or 0) or None  # cgroups 1, or 2
    return None
