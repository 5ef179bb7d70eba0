"""Whether what was counted on a box's trading CPUs is within the bound of its profile; pure.

Counts are judged everywhere. Times, and the share of the time that a thread had, are judged on
bare metal only: in a virtual machine they are those of its host.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value


class Counted(Value):
    """What disturbed a thread that spun on one CPU; all but share and gap per second."""

    ticks: float
    """Of the CPU's local timer."""
    interrupts: float
    """Of devices."""
    calls: float
    """Of other CPUs: to reschedule, to forget translations."""
    switches: float
    """Involuntary ones of the thread."""
    share: float
    """Of the time, that the thread had: 0 to 1."""
    gap_us: float
    """The longest time that it did not run."""


class WakeUp(Value):
    """How late a thread of real-time priority woke up, by cyclictest."""

    samples: int
    min_us: int
    avg_us: int
    max_us: int


class Measured(Value):
    """What `measure_box` returns."""

    cpus: dict[int, Counted]
    wake_up: WakeUp | None = None
    stolen_us: int | None = None
    """The longest time that hardware or firmware took; 0 below 10 us."""
    lacks: dict[str, str] = {}
    """By figure, why it was not measured."""


class Bound(Value):
    """What a profile promises of its trading CPUs, at most; the share at least."""

    ticks: float
    interrupts: float
    switches: float
    share: float
    wake_up_us: int
    stolen_us: int


class Judgement(StrEnum):
    """What is found of one figure."""

    WITHIN = "within"
    BEYOND = "beyond"
    NOT_JUDGED = "not_judged"
    """A time in a virtual machine, or a figure that its tier does not bound."""
    NOT_MEASURED = "not_measured"


class Figure(Value):
    """One figure against its bound."""

    name: str
    """`cpu3.ticks`, `wake_up_us`."""
    measured: float | None
    bound: float | None
    judgement: Judgement
    before: float | None = None
    """Of the last measurement of this box."""
    detail: str = ""


BOUNDS = {
    # An isolated CPU that runs one thread keeps no tick of its own: what is left is one a second
    # of the kernel's own accounting, which another CPU does, and stray ones of its timers. No
    # interrupt of a device belongs there. One switch in four seconds is what kthreads that are
    # bound to each CPU may take. The times are those of RHEL's own acceptance of real-time
    # machines: a wake-up below 50 us, nothing above 10 us taken by firmware.
    LatencyTier.HFT: Bound(
        ticks=2.0, interrupts=0.0, switches=0.25, share=0.99, wake_up_us=50, stolen_us=10
    ),
}
"""By tier; the others isolate no CPU, so that nothing is promised of one."""

_COUNTS = ("ticks", "interrupts", "switches", "share")
_AT_LEAST = frozenset({"share"})
_BARE = ("", "none")
"""What a box says of itself that is no virtual machine."""


def judge(
    measured: Measured, tier: LatencyTier, virtual: str, before: Measured | None = None
) -> tuple[Figure, ...]:
    """Return each figure against the bound of a tier, with what it was at the last measurement.

    `virtual` is what the box says of itself: `none` on bare metal.
    """
    return tuple(_figures(measured, BOUNDS.get(tier), virtual, before))


def holds(figures: tuple[Figure, ...]) -> bool:
    """Return whether no figure is beyond its bound."""
    return all(figure.judgement is not Judgement.BEYOND for figure in figures)


def _figures(
    measured: Measured, bound: Bound | None, virtual: str, before: Measured | None
) -> Iterator[Figure]:
    for cpu, counted in sorted(measured.cpus.items()):
        was = before.cpus.get(cpu) if before else None
        for name in _COUNTS:
            most = getattr(bound, name) if bound else None
            value = getattr(counted, name)
            judgement = _judged(name, value, most)
            detail = "" if bound else "this tier promises nothing of a single CPU"
            if bound and name in _AT_LEAST and virtual not in _BARE:
                judgement, detail = Judgement.NOT_JUDGED, _of_host(virtual)
            yield Figure(
                name=f"cpu{cpu}.{name}",
                measured=value,
                bound=most,
                judgement=judgement,
                before=getattr(was, name) if was else None,
                detail=detail,
            )
    for name, value, most, was_us in (
        ("wake_up", _most(measured), bound.wake_up_us if bound else None, _most(before)),
        ("stolen_us", measured.stolen_us, bound.stolen_us if bound else None, _stolen(before)),
    ):
        yield _time(name, value, most, was_us, measured.lacks.get(name, ""), virtual)


def _time(
    name: str, value: int | None, most: int | None, was: int | None, why: str, virtual: str
) -> Figure:
    if value is None:
        judgement, detail = Judgement.NOT_MEASURED, why or "it was not measured"
    elif virtual not in _BARE:
        judgement, detail = Judgement.NOT_JUDGED, _of_host(virtual)
    else:
        judgement, detail = _judged(name, value, most), ""
    return Figure(
        name=name if name.endswith("_us") else f"{name}_us",
        measured=value,
        bound=most,
        judgement=judgement,
        before=was,
        detail=detail,
    )


def _of_host(virtual: str) -> str:
    return f"a time in a virtual machine ({virtual}) is that of its host"


def _judged(name: str, value: float, bound: float | None) -> Judgement:
    if bound is None:
        return Judgement.NOT_JUDGED
    within = value >= bound if name in _AT_LEAST else value <= bound
    return Judgement.WITHIN if within else Judgement.BEYOND


def _most(measured: Measured | None) -> int | None:
    return measured.wake_up.max_us if measured and measured.wake_up else None


def _stolen(measured: Measured | None) -> int | None:
    return measured.stolen_us if measured else None
