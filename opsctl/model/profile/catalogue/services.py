"""Services that a stock distribution runs, and a trading server does not."""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import READABLE, Want, fast, hft, made, slow
from opsctl.model.profile.setting import Means, Need, Setting, Topic

_PERIODIC = """\
// Written by opsctl.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
"""


def _unit(unit: str, want: Want, why: str, source: str, *needs: Need) -> Setting:
    return made(Topic.SERVICES, Means.UNIT, unit, want, why, source, *needs)


_UPGRADES = (
    "Packages change in a maintenance window, by a person who has drained the box: an upgrade "
    "that restarts a service in the trading day is an outage."
)

SETTINGS = (
    _unit(
        "irqbalance.service",
        fast("off"),
        "It moves interrupts about by load, away from where they were put. Masked even where it "
        "is not installed: another package may bring it.",
        sources.IRQBALANCE,
    ),
    _unit(
        "tuned.service",
        fast("off"),
        "It writes the same settings by a profile of its own, and its verification passes where "
        "a script of it has failed.",
        sources.REDHAT,
        READABLE,
    ),
    _unit("apt-daily.timer", fast("off"), _UPGRADES, sources.UPGRADES, READABLE),
    _unit("apt-daily-upgrade.timer", fast("off"), _UPGRADES, sources.UPGRADES, READABLE),
    _unit("unattended-upgrades.service", fast("off"), _UPGRADES, sources.UPGRADES, READABLE),
    _unit(
        "man-db.timer",
        fast("off"),
        "The index of manuals is rebuilt each night, by reading them all.",
        sources.REDHAT,
        READABLE,
    ),
    _unit(
        "e2scrub_all.timer",
        fast("off"),
        "A weekly check of file systems reads whole disks.",
        sources.REDHAT,
        READABLE,
    ),
    _unit(
        "fstrim.timer",
        hft("off"),
        "Discarding blocks stalls a disk for up to seconds; it is done in a window.",
        sources.REDHAT,
        READABLE,
    ),
    made(
        Topic.SERVICES,
        Means.PACKAGE,
        "unattended-upgrades",
        slow("installed"),
        "Security fixes reach a box that nobody drains; its tier can wait for a restart.",
        sources.UPGRADES,
    ),
    made(
        Topic.SERVICES,
        Means.FILE,
        "/etc/apt/apt.conf.d/20auto-upgrades",
        slow(_PERIODIC),
        "They are looked for and installed each day.",
        sources.UPGRADES,
        name="auto-upgrades",
    ),
)
