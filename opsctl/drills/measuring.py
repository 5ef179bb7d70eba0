"""Measuring a run by the venue's record and by what the client was told."""

from __future__ import annotations

from opsctl.drills import measurement
from opsctl.drills.outage import outage
from opsctl.drills.outcome import Measured
from opsctl.drills.reconciliation import Reconciled
from opsctl.drills.record import Record
from opsctl.drills.recording.files import Window
from opsctl.drills.timeline import Timeline
from opsctl.drills.traffic import Traffic

ON_ITS_WAY_NS = 1_000_000_000
"""What was journaled before the fault may still reach the venue for so long."""


def measure(
    *,
    window: Window,
    client: Traffic,
    venue: Record,
    reconciled: Reconciled | None,
    told: Timeline,
) -> Measured:
    """Return the figures of a run; the moments that they count from go to the timeline."""
    acknowledged = client.lines()
    accepted = [a for a in venue.accepted if a.order.startswith(client.name)]
    fault_ns, new = window.fault_ns, window.successor
    detection_ms = takeover_ms = gap_ms = None
    found = outage(accepted, window)
    if fault_ns and new is not None and window.recovery == "takeover":
        detection_ms = measurement.ms(fault_ns, new.at_ns)
        if found is not None:
            takeover_ms = measurement.ms(new.at_ns, found[1])
            told.add(found[0], "last acceptance on the former session")
            told.add(found[1], "first acceptance on the successor's session")
    if fault_ns:
        told_ns = [line.at_ns for line in acknowledged]
        gap_ms = measurement.longest_gap_ms(told_ns, fault_ns, window.ended_ns)
    return Measured(
        detection_ms=detection_ms,
        takeover_ms=takeover_ms,
        rto_ms=None if found is None else measurement.ms(*found),
        acknowledgement_gap_ms=gap_ms,
        orders_submitted=client.submitted(),
        orders_acknowledged=len(acknowledged),
        orders_lost=len({line.split(":")[0] for line in reconciled.lost}) if reconciled else 0,
        orders_duplicated=len(reconciled.duplicated) if reconciled else 0,
        positions_reconciled=not reconciled.positions if reconciled else None,
        open_orders_reconciled=not reconciled.open_orders if reconciled else None,
    )


def opened(client: Traffic, venue: Record, told: Timeline) -> list[str]:
    """Return what the venue accepted of the client while nothing may be opened, in words.

    That ends where the first fault is lifted: with one member back the journal has a quorum.
    """
    since_ns = told.fault_ns + ON_ITS_WAY_NS
    late = [
        one.order
        for one in venue.accepted
        if one.order.startswith(client.name) and since_ns < one.at_ns < told.lifting_ns
    ]
    if not late:
        return []
    return [f"{len(late)} orders were opened while nothing may be opened, {late[0]} first"]
