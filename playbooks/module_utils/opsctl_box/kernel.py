"""Settings of the running kernel: sysctls, and files under /sys and /proc."""

from __future__ import annotations

import re

from ansible.module_utils.opsctl_box import devices
from ansible.module_utils.opsctl_box.system import Refused
from ansible.module_utils.opsctl_box.writer import Writer

_SWAP = str.maketrans("./", "/.")
_DEVICE = re.compile(r"/sys/(class/net|block)/([^/]+)/")
FIRST_LINE = "# Written by opsctl provision; your changes here are lost at its next run.\n"


class Sysctls(Writer):
    """`at`: a key with dots; a dot within a name is written as a slash, as sysctl does."""

    means = "sysctl"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Read /proc/sys."""
        return {at: _collapsed(self.system.read(self._path(at))) for at in ats}

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """Compare, however the kernel separates the numbers."""
        return state == _collapsed(want)

    def write_one(self, at: str, want: str) -> None:
        """Write one and read it back: the kernel clamps some without a word."""
        self.system.poke(self._path(at), want)
        if not self.holds(at, got := self.read([at])[at], want):
            raise Refused(f"{want!r} was written to {at}, and the kernel made it {got!r}")

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """One file, named so that it comes after /etc/sysctl.d/99-sysctl.conf and wins."""
        lines = "".join(f"{at} = {want}\n" for at, want in sorted(wants.items()))
        return {self._file(topic): FIRST_LINE + lines} if wants else {}

    def own_files(self, topic: str) -> list[str]:
        """Find that file."""
        return self.system.glob(self._file(topic))

    @staticmethod
    def _file(topic: str) -> str:
        return f"/etc/sysctl.d/99-zz-opsctl-{topic}.conf"

    @staticmethod
    def _path(at: str) -> str:
        return "/proc/sys/" + at.translate(_SWAP)


class KernelFiles(Writer):
    """`at`: a path under /sys or /proc. Those of a NIC or disk are written again when it comes."""

    means = "sysfs"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Read each; of a choice (`always [never]`) the chosen word."""
        return {at: devices.chosen(self.system.read(at)) for at in ats}

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """Compare; masks and lists of CPUs by the CPUs."""
        return state is not None and devices.same(at, state, want)

    def write_one(self, at: str, want: str) -> None:
        """Write one and read it back."""
        self.system.poke(at, want)
        if not self.holds(at, got := self.read([at])[at], want):
            raise Refused(f"{want!r} was written to {at}, and the kernel made it {got!r}")

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """Lines for systemd-tmpfiles, but for devices: they may come after it has run."""
        early = {at: want for at, want in wants.items() if not _DEVICE.match(at)}
        lines = "".join(f"w {at} - - - - {want}\n" for at, want in sorted(early.items()))
        made = {self._file(topic): FIRST_LINE + lines} if early else {}
        of_devices: dict[str, dict[str, str]] = {}
        for at, want in wants.items():
            if found := _DEVICE.match(at):
                of_devices.setdefault(found[2], {})[at] = want
        return {**made, **devices.files(topic, self.means, of_devices)}

    def own_files(self, topic: str) -> list[str]:
        """Find them."""
        return self.system.glob(self._file(topic)) + self.system.glob(
            devices.pattern(topic, self.means)
        )

    @staticmethod
    def _file(topic: str) -> str:
        return f"/etc/tmpfiles.d/90-opsctl-{topic}.conf"


def _collapsed(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())
