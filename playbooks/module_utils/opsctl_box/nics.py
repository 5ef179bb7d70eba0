"""Settings of NICs and disks; what makes them hold again is `devices`, started by systemd."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.opsctl_box import devices
from ansible.module_utils.opsctl_box.system import Refused, System
from ansible.module_utils.opsctl_box.writer import Problems, Writer
from ansible.module_utils.opsctl_read import ethtool

PROGRAM = "/usr/local/lib/opsctl/devices.py"
NIC_UNIT = "opsctl-nic@{}.service"
DISK_UNIT = "opsctl-disk@{}.service"
_UNIT = """\
# Written by opsctl provision.
[Unit]
Description=Settings of %i for trading
{binds}
After=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 {program} %i

[Install]
WantedBy={wanted}
"""
_OF_NIC = "sys-subsystem-net-devices-%i.device"
UNITS = {
    "/etc/systemd/system/opsctl-nic@.service": _UNIT.format(
        binds=f"BindsTo={_OF_NIC}\nAfter={_OF_NIC}", program=PROGRAM, wanted=_OF_NIC
    ),
    "/etc/systemd/system/opsctl-disk@.service": _UNIT.format(
        binds="After=dev-%i.device", program=PROGRAM, wanted="multi-user.target"
    ),
}


class Ethtool(Writer):
    """`at`: `NIC GROUP KEY`."""

    means = "ethtool"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Read them as an audit does."""
        return {at: answer.value for at, answer in ethtool.read(ats).items()}

    def write(self, wants: dict[str, str]) -> Problems:
        """Tell each NIC once for each group, then believe only what is read back."""
        told: dict[str, str] = {}
        for group in devices.ORDER:
            by_nic: dict[str, dict[str, str]] = {}
            for at, want in wants.items():
                nic, its, key = at.split()
                if its == group:
                    by_nic.setdefault(nic, {})[key] = want
            for nic, of in by_nic.items():
                why = devices.ethtool_write(nic, group, of, self.system.run)
                told.update({f"{nic} {group} {key}": why for key in of})
        got = self.read(list(wants))
        return {
            at: f"wanted {want}, the NIC has {got[at]}: {told.get(at) or 'ethtool said nothing'}"
            for at, want in wants.items()
            if got[at] != want
        }

    def restore(self, formers: dict[str, Any]) -> Problems:
        """Tell the NICs what they had."""
        return self.write({at: former for at, former in formers.items() if former is not None})

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """Keep it for when the NIC comes anew."""
        by_nic: dict[str, dict[str, str]] = {}
        for at, want in wants.items():
            by_nic.setdefault(at.split()[0], {})[at] = want
        return devices.files(topic, self.means, by_nic)

    def own_files(self, topic: str) -> list[str]:
        """Find what is kept."""
        return self.system.glob(devices.pattern(topic, self.means))


class Interrupts(Writer):
    """`at`: a NIC or disk; its interrupts that the kernel does not manage itself."""

    means = "irq"

    def read(self, ats: list[str]) -> dict[str, dict[str, str] | None]:
        """Return, by number, the CPUs that may serve each."""
        return {at: devices.irq_read(at) or None for at in ats}

    def holds(self, at: str, state: dict[str, str] | None, want: str) -> bool:
        """Return whether none may be served by another CPU; a device without any has nothing."""
        return all(devices.cpus(now) <= devices.cpus(want) for now in (state or {}).values())

    def write_one(self, at: str, want: str) -> None:
        """Move them."""
        self._move(at, dict.fromkeys(devices.irq_read(at), want))

    def restore_one(self, at: str, former: dict[str, str] | None) -> None:
        """Move them back; after a boot they may bear other numbers and have their defaults."""
        there = devices.irq_read(at)
        self._move(at, {one: cpus for one, cpus in (former or {}).items() if one in there})

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Compare those that still bear their number."""
        both = (state or {}).keys() & (former or {}).keys()
        return all(devices.cpus(state[one]) == devices.cpus(former[one]) for one in both)

    def shown(self, state: dict[str, str] | None) -> str:
        """Say the CPUs; the numbers of interrupts tell a person nothing."""
        return ",".join(sorted(set((state or {}).values()))) or "(none)"

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """Keep it for when the device comes anew."""
        return devices.files(topic, self.means, {at: {at: want} for at, want in wants.items()})

    def own_files(self, topic: str) -> list[str]:
        """Find what is kept."""
        return self.system.glob(devices.pattern(topic, self.means))

    @staticmethod
    def _move(at: str, wanted: dict[str, str]) -> None:
        if failed := devices.irq_write(at, wanted):
            raise Refused("; ".join(failed))


def units(system: System, names: set[str]) -> list[str]:
    """Return the units of devices, by their names."""
    nic = {name for name in names if system.at(f"/sys/class/net/{name}").exists()}
    return sorted(
        [NIC_UNIT.format(name) for name in nic] + [DISK_UNIT.format(name) for name in names - nic]
    )
