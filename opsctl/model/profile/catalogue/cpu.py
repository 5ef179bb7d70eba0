"""The clock and idle states of CPUs, and what the scheduler does of its own."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import BARE_METAL, READABLE, Want, fast, hft, made
from opsctl.model.profile.setting import Each, Means, Setting, Topic


def _sysctl(key: str, want: Want, why: str) -> Setting:
    return made(Topic.CPU, Means.SYSCTL, key, want, why, sources.KERNEL, READABLE)


SETTINGS = (
    made(
        Topic.CPU,
        Means.SYSFS,
        "/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor",
        fast("performance"),
        "A CPU that has slowed down while it waited is slow when the tick comes.",
        sources.CPUFREQ,
        READABLE,
        name="cpu{cpu}.governor",
        each=Each.CPU,
    ),
    made(
        Topic.CPU,
        Means.SYSFS,
        "/sys/devices/system/cpu/intel_pstate/min_perf_pct",
        hft("100"),
        "The processor itself does not choose a lower clock either.",
        sources.PSTATE,
        READABLE,
        name="intel_pstate.min_perf_pct",
    ),
    made(
        Topic.CPU,
        Means.SYSFS,
        "/sys/devices/system/cpu/cpu{cpu}/power/pm_qos_resume_latency_us",
        hft("n/a"),
        "No time at all may be lost to waking up (n/a; 0 would mean no bound): the idle states of "
        "this CPU are shut, whichever driver idles, and no other CPU pays for it.",
        sources.CPUIDLE,
        READABLE,
        name="cpu{cpu}.resume_latency",
        each=Each.TRADING_CPU,
    ),
    made(
        Topic.CPU,
        Means.MEASURED,
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        hft("tsc"),
        "Reading time takes nanoseconds by the time stamp counter, a microsecond by HPET: the "
        "kernel falls back to it when it doubts the counter.",
        sources.PARAMETERS,
        BARE_METAL,
        name="clocksource",
    ),
    _sysctl(
        "kernel.sched_rt_runtime_us",
        hft("-1"),
        "A thread of real-time priority that spins is not stopped for 50 ms of each second. That "
        "it could hold its CPU for ever is why housekeeping has CPUs that no such thread gets.",
    ),
    _sysctl(
        "kernel.timer_migration",
        hft("0"),
        "Timers stay where they were set, and are not moved to a CPU that happens to be awake.",
    ),
    _sysctl(
        "kernel.sched_autogroup_enabled",
        hft("0"),
        "Priorities mean what they say, without groups by terminal in between.",
    ),
    _sysctl(
        "kernel.numa_balancing",
        fast("0"),
        "The kernel takes pages away from threads to see who uses them, and moves them: each "
        "such fault costs microseconds. Memory is placed by hand.",
    ),
    _sysctl(
        "kernel.hung_task_timeout_secs",
        hft("600"),
        "The search for hung tasks runs every ten minutes, not every two.",
    ),
)
