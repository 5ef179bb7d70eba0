"""From when to when the recovery time of a drill counts: pure.

The drill measures by it, and so does whoever reads its recorded run.
"""

from __future__ import annotations

from collections.abc import Sequence

from opsctl.drills import measurement
from opsctl.drills.record import Accepted
from opsctl.drills.recording.files import Window


def outage(accepted: Sequence[Accepted], window: Window) -> tuple[int, int] | None:
    """Return from when to when it counts, in UTC ns; None where it could not be measured."""
    moments = [one.at_ns for one in accepted]
    former, new = window.former, window.successor
    match window.recovery:
        case "takeover" if window.fault_ns and former is not None and new is not None:
            # On one session, be it that all sites share it or that the site leads again itself,
            # only the time tells whose order it was.
            since_ns = new.at_ns if former.session == new.session else window.fault_ns
            return measurement.takeover(accepted, former.session, new.session, since_ns)
        case "longest-gap" if window.fault_ns:
            return measurement.longest_gap(moments, window.fault_ns, window.ended_ns)
        case "after-lift" if window.lifted_ns:
            first = min((at for at in moments if at > window.lifted_ns), default=None)
            return None if first is None else (window.lifted_ns, first)
    return None
