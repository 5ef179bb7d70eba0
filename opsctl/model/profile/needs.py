"""What a setting needs and a server lacks; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opsctl.model.profile.box import Box, Nic, Reading
from opsctl.model.profile.setting import Means, Need, NeedKind, Setting


def lacking(
    setting: Setting,
    box: Box,
    *,
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
    return ""


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
