"""What disturbs a thread that trades, counted: a thread that spins stands in for it.

Counts say the same on every machine and under every load; times do not, least of all in a
virtual machine.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable

from ansible.module_utils.opsctl_read.answers import Unreadable, run
from ansible.module_utils.opsctl_read.kernel import text

_SWITCHES = re.compile(r"^nonvoluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)
_CYCLICTEST = re.compile(r"C:\s*(\d+) Min:\s*(-?\d+) Act:\s*-?\d+ Avg:\s*(-?\d+) Max:\s*(-?\d+)")
_HARDWARE = re.compile(r"^Max Latency:\s*(Below threshold|(\d+)\s*us)", re.MULTILINE)
_CALLS = ("RES", "CAL", "TLB", "IWI")
"""Rows of what other CPUs ask of one: to reschedule, to call, to forget translations, to work."""


def spin(cpus: Iterable[int], seconds: float) -> dict[str, dict[str, float]]:
    """Spin on each CPU at once, and count for each what came in between.

    Returns by CPU: `share` of the time that the thread had (0 to 1), its involuntary `switches`,
    and of the CPU the local timer's `ticks`, the `interrupts` of devices and the `calls` of other
    CPUs, each per second; `gap_us`, the longest time that the thread did not run.
    """
    wanted = sorted(set(cpus))
    pipes = {cpu: _spinner(cpu, seconds) for cpu in wanted}
    before, begun = interrupts(text("/proc/interrupts")), time.monotonic()
    told = {cpu: _told(pipe) for cpu, pipe in pipes.items()}
    after, lasted = interrupts(text("/proc/interrupts")), time.monotonic() - begun
    found = {}
    for cpu in wanted:
        rates = {
            kind: (after[cpu][kind] - before[cpu][kind]) / lasted
            for kind in ("ticks", "interrupts", "calls")
        }
        share, switches, gap_us = told[cpu]
        found[str(cpu)] = {
            **{kind: round(rate, 2) for kind, rate in rates.items()},
            "switches": round(switches / seconds, 2),
            "share": round(share, 4),
            "gap_us": round(gap_us, 1),
        }
    return found


def interrupts(table: str) -> dict[int, dict[str, int]]:
    """Return by CPU the counts of /proc/interrupts: ticks, interrupts of devices, calls."""
    lines = table.splitlines()
    cpus = [int(word[len("CPU") :]) for word in lines[0].split()]
    found = {cpu: {"ticks": 0, "interrupts": 0, "calls": 0} for cpu in cpus}
    for line in lines[1:]:
        name, _, rest = line.strip().partition(":")
        kind = "ticks" if name == "LOC" else "calls" if name in _CALLS else "interrupts"
        if kind == "interrupts" and not name.isdigit():
            continue
        for index, count in enumerate(rest.split()[: len(cpus)]):
            found[cpus[index]][kind] += int(count)
    return found


def _spinner(cpu: int, seconds: float) -> int:
    """Start a process that spins on a CPU; return where it will tell what it met."""
    here, there = os.pipe()
    if os.fork():
        os.close(there)
        return here
    status = 1
    try:
        os.close(here)
        os.sched_setaffinity(0, {cpu})
        os.write(there, " ".join(map(str, _spun(seconds))).encode())
        status = 0
    finally:
        os._exit(status)


def _spun(seconds: float) -> tuple[float, int, float]:
    def switches() -> int:
        return int(_SWITCHES.search(text("/proc/self/status"))[1])

    now, longest = time.perf_counter_ns, 0
    switched, used = switches(), time.process_time()
    begun = last = now()
    end = begun + int(seconds * 1e9)
    while last < end:
        at = now()
        if at - last > longest:
            longest = at - last
        last = at
    lasted = (last - begun) / 1e9
    share = (time.process_time() - used) / lasted
    return share, switches() - switched, longest / 1e3


def _told(pipe: int) -> tuple[float, float, float]:
    with os.fdopen(pipe) as stream:
        words = stream.read().split()
    os.wait()
    if len(words) != 3:
        raise Unreadable("the thread that spins was ended, or may not run on that CPU")
    share, switches, gap_us = map(float, words)
    return share, switches, gap_us


def wake_up(cpus: Iterable[int], seconds: int) -> dict[str, int]:
    """Return how late a thread of real-time priority wakes up, in us, by cyclictest.

    Raises `Unreadable` where rt-tests is not installed, or may not run.
    """
    wanted = sorted(set(cpus))
    ended = run(
        *("cyclictest", "--mlockall", "--quiet", "--priority=80", "--interval=1000"),
        *(f"--affinity={','.join(map(str, wanted))}", f"--threads={len(wanted)}"),
        f"--duration={seconds}s",
        limit_s=seconds + 30.0,
    )
    found = cyclictest(ended.out)
    if not found:
        raise Unreadable(f"cyclictest: {ended.said}")
    return found


def cyclictest(told: str) -> dict[str, int]:
    """Return the worst of what cyclictest prints for its threads, in us."""
    threads = [tuple(map(int, each)) for each in _CYCLICTEST.findall(told)]
    if not threads:
        return {}
    return {
        "samples": sum(samples for samples, _, _, _ in threads),
        "min_us": min(least for _, least, _, _ in threads),
        "avg_us": max(mean for _, _, mean, _ in threads),
        "max_us": max(most for _, _, _, most in threads),
    }


def stolen(seconds: int, threshold_us: int = 10) -> int:
    """Return the longest time that hardware or firmware took a CPU away, in us, by hwlatdetect.

    0 where it was less than the threshold. Raises `Unreadable` where it cannot be measured.
    """
    ended = run(
        "hwlatdetect",
        f"--duration={seconds}s",
        f"--threshold={threshold_us}us",
        limit_s=seconds + 30.0,
    )
    found = hwlatdetect(ended.out)
    if found is None:
        raise Unreadable(f"hwlatdetect: {ended.said}")
    return found


def hwlatdetect(told: str) -> int | None:
    """Return the most of what hwlatdetect prints, in us; none where it measured nothing."""
    found = _HARDWARE.search(told)
    return int(found[2] or 0) if found else None
