"""What is measured: how far the clock is off and what keeps it, and what only tells."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible.module_utils.opsctl_read import boot, kernel
from ansible.module_utils.opsctl_read.answers import Answer, Answers, Unreadable, run

_OFFSET = re.compile(r"offsetFromMaster\s+(-?[\d.]+)")
_STATE = re.compile(r"portState\s+(\w+)")


def measured(ats: Iterable[str]) -> Answers:
    """Read `clock offset_us`, `clock source`, `boot files`, or a path under /sys or /proc."""
    wanted = list(ats)
    answers = kernel.sysfs(at for at in wanted if at.startswith("/"))
    figures = [at for at in wanted if not at.startswith("/")]
    if "boot files" in figures:
        answers["boot files"] = boot.files()
    if any(at.startswith("clock ") for at in figures):
        answers["clock offset_us"], answers["clock source"] = _clock()
    known = "clock offset_us, clock source, boot files, and paths under /sys and /proc"
    odd = Answer(None, f"known figures are {known}")
    return {at: answers.get(at, odd) for at in wanted}


def _clock() -> tuple[Answer, Answer]:
    """Ask what keeps the clock: PTP where it follows a grandmaster, else chrony."""
    try:
        by_ptp = _ptp()
    except Unreadable:
        by_ptp = None
    if by_ptp is not None:
        return by_ptp
    try:
        ended = run("chronyc", "-n", "-c", "tracking", limit_s=3.0)
    except Unreadable as why:
        return Answer(None, str(why)), Answer(None, str(why))
    if ended.code != 0:
        why = f"chronyd does not answer: {ended.said}"
        return Answer(None, why), Answer(None, why)
    return tracking(ended.out)


def tracking(line: str) -> tuple[Answer, Answer]:
    """Return offset and source of what `chronyc -c tracking` prints.

    The offset is chrony's own estimate; the note has the most that it can be, by the delay to
    the source and the source's own uncertainty.
    """
    fields = line.strip().split(",")
    if len(fields) < 14:
        why = "chronyc answered in a form that we do not know"
        return Answer(None, why), Answer(None, why)
    server, leap = fields[1], fields[13]
    offset_s, delay_s, dispersion_s = (abs(float(fields[n])) for n in (4, 10, 11))
    if leap == "Not synchronised" or not server:
        why = "chrony follows no source yet"
        return Answer(None, why), Answer(None, why)
    most = offset_s + delay_s / 2 + dispersion_s
    bound = f"chrony is sure of no more than {most * 1e6:.1f} us"
    return Answer(f"{offset_s * 1e6:.3f}", bound), Answer(
        "chrony", f"{server}, stratum {fields[2]}"
    )


def _ptp() -> tuple[Answer, Answer] | None:
    """Return what ptp4l says, where it runs and follows a grandmaster."""
    words = ("-u", "-b", "0", "-t", "1")
    if _runs_not("ptp4l"):
        return None
    ended = run("pmc", *words, "GET CURRENT_DATA_SET", "GET PORT_DATA_SET", limit_s=3.0)
    return offset_of(ended.out) if ended.code == 0 else None


def offset_of(told: str) -> tuple[Answer, Answer] | None:
    """Return offset and source of what `pmc` prints; none where no port follows a grandmaster."""
    offset = _OFFSET.search(told)
    if offset is None or "SLAVE" not in _STATE.findall(told):
        return None
    return Answer(f"{abs(float(offset[1])) / 1e3:.3f}"), Answer("ptp")


def _runs_not(process: str) -> bool:
    """Return whether no process of a name runs: asking a daemon that is not there takes seconds."""
    for name in kernel.names("/proc"):
        try:
            if name.isdigit() and kernel.text(f"/proc/{name}/comm").strip() == process:
                return False
        except OSError:
            continue
    return True
