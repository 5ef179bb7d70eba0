"""The clock: chrony, or PTP where the firm has a grandmaster; and how far from UTC it may be."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import CLOCK, chosen, every, hft, made
from opsctl.model.profile.setting import Compare, Means, Topic
from opsctl.model.tiers import LatencyTier

_CHRONY = chosen("time=chrony")
_PTP = chosen("time=ptp")

_MAIN = """\
# Written by opsctl. Sources of time, and how the clock is steered, are in conf.d.
confdir /etc/chrony/conf.d
keyfile /etc/chrony/chrony.keys
driftfile /var/lib/chrony/chrony.drift
ntsdumpdir /var/lib/chrony
logdir /var/log/chrony
leapsectz right/UTC
"""
_COMMON = """\
# Written by opsctl.
{time_servers}makestep 1 3
rtcsync
"""
_HFT = """\
# Written by opsctl.
{time_servers}makestep 1 3
rtcsync
hwtimestamp *
maxupdateskew 5
lock_all
"""
_PTP4L = """\
# Written by opsctl.
[global]
slaveOnly 1
time_stamping hardware
"""
# Debian's own unit asks for ptp4l.service, which there is none of, and would never start.
_PHC2SYS = """\
# Written by opsctl.
[Unit]
Description=Keep the system clock by the clock of %I
Documentation=man:phc2sys
Requires=ptp4l@%i.service
After=ptp4l@%i.service
Before=time-sync.target

[Service]
ExecStart=/usr/sbin/phc2sys -w -s %I
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""

SETTINGS = (
    made(
        Topic.CLOCK,
        Means.PACKAGE,
        "chrony",
        every("installed"),
        "Orders and executions are recorded in UTC, by a clock that is kept. It also measures "
        "the offset where PTP keeps the clock.",
        sources.CHRONY,
    ),
    made(
        Topic.CLOCK,
        Means.FILE,
        "/etc/chrony/chrony.conf",
        every(_MAIN),
        "Debian's file reads conf.d first and then sets a pool of the internet and looser bounds, "
        "which would hold: of a line that is said twice chrony takes the last.",
        sources.CHRONY,
        _CHRONY,
        name="chrony.conf",
    ),
    made(
        Topic.CLOCK,
        Means.FILE,
        "/etc/chrony/conf.d/opsctl.conf",
        {**every(_COMMON), LatencyTier.HFT: _HFT},
        "The clock is stepped only at the start: later a step would reorder what was recorded. "
        "In hft packets are stamped by the NIC where it can (hwtimestamp), and chrony's memory "
        "stays in place (lock_all).",
        sources.CHRONY,
        _CHRONY,
        name="chrony",
    ),
    made(
        Topic.CLOCK,
        Means.UNIT,
        "chrony.service",
        every("on"),
        "It runs, now and after a boot.",
        sources.CHRONY,
        _CHRONY,
    ),
    made(
        Topic.CLOCK,
        Means.PACKAGE,
        "linuxptp",
        hft("installed"),
        "With a grandmaster in the network, PTP keeps the NIC's own clock within a microsecond.",
        sources.PTP4L,
        _PTP,
        CLOCK,
    ),
    made(
        Topic.CLOCK,
        Means.FILE,
        "/etc/linuxptp/ptp4l.conf",
        hft(_PTP4L),
        "The box follows the grandmaster and never becomes one; packets are stamped by the NIC.",
        sources.PTP4L,
        _PTP,
        CLOCK,
        name="ptp4l",
    ),
    made(
        Topic.CLOCK,
        Means.UNIT,
        "ptp4l@{clock_nic}.service",
        hft("on"),
        "It keeps the clock of the first trading NIC that has one: two would share a socket, and "
        "the machine has one clock to be kept.",
        sources.PTP4L,
        _PTP,
        CLOCK,
        name="ptp4l.service",
    ),
    made(
        Topic.CLOCK,
        Means.FILE,
        "/etc/systemd/system/phc2sys@.service",
        hft(_PHC2SYS),
        "The unit that Debian ships requires one that does not exist, and does not start.",
        sources.PHC2SYS,
        _PTP,
        CLOCK,
        name="phc2sys",
    ),
    made(
        Topic.CLOCK,
        Means.UNIT,
        "phc2sys@{clock_nic}.service",
        hft("on"),
        "It keeps the clock of the machine by that of the NIC; chrony then keeps its hands off.",
        sources.PHC2SYS,
        _PTP,
        CLOCK,
        name="phc2sys.service",
    ),
    made(
        Topic.CLOCK,
        Means.UNIT,
        "chrony.service",
        hft("off"),
        "Two programs that keep one clock fight over it.",
        sources.PHC2SYS,
        _PTP,
        CLOCK,
        name="chrony.service.ptp",
    ),
    made(
        Topic.CLOCK,
        Means.MEASURED,
        "clock offset_us",
        {**every("1000"), LatencyTier.HFT: "100"},
        "RTS 25 allows 100 microseconds from UTC to high-frequency trading and a millisecond to "
        "other automated trading; slower tiers keep to the latter too.",
        sources.RTS25,
        compare=Compare.AT_MOST,
    ),
)
