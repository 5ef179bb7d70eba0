"""Lists of CPUs as the kernel writes them: `0-1,4`."""

from __future__ import annotations

from collections.abc import Iterable


def of_list(text: str) -> set[int]:
    """Return the CPUs of a list. Raises `ValueError`."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return found


def as_list(cpus: Iterable[int]) -> str:
    """Return CPUs as a list, neighbours as a range."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
