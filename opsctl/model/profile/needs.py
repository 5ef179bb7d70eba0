"""What a setting needs and a server lacks; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from opsctl.model.profile.box import Box, Nic, Reading
from opsctl.model.profile.setting import Compare, Means, Need, NeedKind, Setting

FIXED = "fixed by the driver"
"""What a reading's note says of a value that nobody can change."""
_MOST = re.compile(r"takes at most (\d+)")


def lacking(
    setting: Setting,
    box: Box,
    *,
    want: str,
    nics: Sequence[Nic],
    driver: str,
    queues: int,
    choices: Mapping[str, str],
    reading: Reading | None,
) -> str:
    """Return why a setting is not applicable on a server; empty where it is.

    `nics` and `driver` are those of the device that it is wanted for, `reading` is what was
    read of it. What was not read at all is taken to be there.
    """
    for need in setting.needs:
        if reason := _lacks(need, box, nics, driver, queues, choices, reading):
            return reason
    if setting.means is Means.CMDLINE and box.bootloader != "grub":
        return "the boot loader is not GRUB: nobody could set the command line"
    if reading is not None and reading.reason == FIXED and reading.value != want:
        return f"{reading.value} is {FIXED}"
    return ""


def at_most(setting: Setting, want: str, reading: Reading | None) -> str:
    """Return what is wanted, or the most that the device takes where that is less.

    Of a setting that wants at least as much, a reading's note may say `takes at most 512`.
    """
    most = _MOST.search(reading.reason) if reading else None
    if most is None or setting.compare is not Compare.AT_LEAST or not want.isdecimal():
        return want
    return str(min(int(want), int(most[1])))


def _lacks(
    need: Need,
    box: Box,
    nics: Sequence[Nic],
    driver: str,
    queues: int,
    choices: Mapping[str, str],
    reading: Reading | None,
) -> str:
    match need.kind:
        case NeedKind.BARE_METAL:
            said = f"is for bare metal: this is a virtual machine ({box.virtual})"
            return "" if box.virtual == "none" else said
        case NeedKind.KERNEL_OPTION:
            has = box.kernel_options.get(need.at, "n") != "n"
            return "" if has else f"the kernel {box.kernel} is built without {need.at}"
        case NeedKind.DRIVER:
            has = driver in need.at.split()
            return "" if has else f"is for {need.at.replace(' ', ', ')}: the driver is {driver}"
        case NeedKind.VENDOR:
            has = box.vendor == need.at
            return "" if has else f"is for processors of {need.at}: this is {box.vendor}"
        case NeedKind.HARDWARE_CLOCK:
            has = any(nic.hardware_clock for nic in nics)
            return "" if has else "takes a NIC with a clock of its own"
        case NeedKind.SEVERAL_QUEUES:
            return "" if queues > 1 else "takes a NIC with several queues"
        case NeedKind.CHOSEN:
            what, _, chosen = need.at.partition("=")
            has = choices.get(what) == chosen
            return "" if has else f"the profile says `{what}: {choices.get(what)}`"
        case NeedKind.READABLE:
            there = reading is None or reading.value is not None
            return "" if there else (reading.reason if reading else "") or "is not there"
