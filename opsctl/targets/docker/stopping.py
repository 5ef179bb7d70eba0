"""Stopping everything that an environment has in its engines, in an order that loses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from opsctl.model.hosts import DockerHost
from opsctl.targets.applying import event
from opsctl.targets.base import Event
from opsctl.targets.docker import naming
from opsctl.targets.docker.hosts import Fleet
from opsctl.targets.docker.observing import Seen
from opsctl.targets.docker.runner import STOP_GRACE_S

STOP_WITHIN_S = 30
"""Of a container that does not say how long it may take."""


def stop(fleet: Fleet, found: Mapping[DockerHost, Mapping[str, Seen]]) -> Iterator[Event]:
    """Stop and remove the containers of hosts, those that wait for others before them."""
    every = {key: (fleet.on(host), one) for host, on in found.items() for key, one in on.items()}
    for group in _highest_first({key: one for key, (_, one) in every.items()}):
        yield from (event(key, "stopping") for key in group)
        with ThreadPoolExecutor(len(group), "stop") as pool:
            stops = ((*every[key], key) for key in group)
            list(pool.map(lambda each: each[0].remove(each[1]["Id"], _within_s(each[1])), stops))
        yield from (event(key, "stopped") for key in group)


def _highest_first(found: Mapping[str, Seen]) -> Iterator[dict[str, Seen]]:
    """Yield containers in groups that can stop together: who waits for others before them."""
    level = {key: int(one["Config"]["Labels"][naming.LEVEL]) for key, one in found.items()}
    for each in sorted(set(level.values()), reverse=True):
        yield {key: one for key, one in found.items() if level[key] == each}


def _within_s(found: Seen) -> float:
    return float(found["Config"].get("StopTimeout") or STOP_WITHIN_S) + STOP_GRACE_S
