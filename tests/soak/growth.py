"""Memory and open files of services over time, and whether they grow: pure but for the sampling."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from opsctl.targets.base import Target
from opsctl.targets.local import processes

MIB = 1024 * 1024
WARM_S = 600.0
"""What a deployment uses in its first minutes is no growth: caches fill."""
JUDGED_S = 1_800.0
"""A slope of less time says nothing."""
RSS_BOUND_MB_H = 64.0
FDS_BOUND_H = 16.0


class Sample(NamedTuple):
    """What one service uses at one moment."""

    at_s: float
    """Since the deployment began."""
    rss_mb: float
    fds: int


class Slope(NamedTuple):
    """How fast a service grew, an hour; None where it was watched for too short a time."""

    service: str
    rss_mb: tuple[float, float]
    """At the first sample that counts, and at the last."""
    fds: tuple[int, int]
    rss_mb_h: float | None
    fds_h: float | None

    @property
    def grows(self) -> bool:
        """Whether it grew beyond a bound."""
        return (self.rss_mb_h or 0) > RSS_BOUND_MB_H or (self.fds_h or 0) > FDS_BOUND_H


def sampled(target: Target, began_s: float) -> dict[str, Sample]:
    """Return what every service that runs uses now; `began_s` is of the monotonic clock."""
    below, at_s = processes.children(), time.monotonic() - began_s
    return {
        seen.key: Sample(
            round(at_s, 1), round(seen.rss_bytes / MIB, 1), _open_files(seen.pid, below)
        )
        for seen in target.observe()
        if seen.pid is not None and seen.rss_bytes is not None
    }


def slopes(samples: Mapping[str, Sequence[Sample]]) -> list[Slope]:
    """Return how fast each service grew, the fastest first.

    The slope is the median of those between all pairs of samples (Theil and Sen): a process
    that a fault ended and that began anew does not bend it.
    """
    found = [_slope(service, series) for service, series in samples.items() if series]
    return sorted(found, key=lambda s: (-(s.rss_mb_h or 0), s.service))


def gathered(legs: Iterable[Mapping[str, Any]]) -> dict[str, list[Sample]]:
    """Return the samples of one deployment's legs by service."""
    found: dict[str, list[Sample]] = {}
    for leg in legs:
        for when in ("before", "after"):
            for service, values in leg[when].items():
                found.setdefault(service, []).append(Sample(*values))
    return found


def _slope(service: str, series: Sequence[Sample]) -> Slope:
    warm = [sample for sample in series if sample.at_s >= WARM_S] or list(series)
    long_enough = series[-1].at_s >= WARM_S and warm[-1].at_s - warm[0].at_s >= JUDGED_S
    pairs = [(a, b) for a, b in combinations(warm, 2) if b.at_s > a.at_s] if long_enough else []
    return Slope(
        service,
        (warm[0].rss_mb, warm[-1].rss_mb),
        (warm[0].fds, warm[-1].fds),
        _an_hour([(b.rss_mb - a.rss_mb, b.at_s - a.at_s) for a, b in pairs]),
        _an_hour([(b.fds - a.fds, b.at_s - a.at_s) for a, b in pairs]),
    )


def _an_hour(steps: Sequence[tuple[float, float]]) -> float | None:
    return round(statistics.median(by / s * 3600 for by, s in steps), 1) if steps else None


def _open_files(pid: int, below: Mapping[int, Sequence[int]]) -> int:
    """Return how many files a process and all below it hold open."""
    count, todo = 0, [pid]
    while todo:
        each = todo.pop()
        todo += below.get(each, ())
        try:
            count += sum(1 for _ in Path(f"/proc/{each}/fd").iterdir())
        except OSError:  # it ended meanwhile
            continue
    return count
