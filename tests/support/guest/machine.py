"""A guest that runs: its own copy-on-write disk, its machine under QEMU, and ssh into it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.guest import image as images
from tests.support.guest import qmp
from tests.support.guest.definition import MANAGEMENT_MAC, TRADING_MACS, Definition
from tests.support.servers import Process, folder, free_port

ADDRESS = "127.0.0.1"
USER = "ops"
ACCELERATOR = "OPSCTL_GUEST_ACCEL"
"""Set to `kvm` where that works: in many virtual machines stock kernels hang under it, so that
it is never guessed. QEMU's own translation works everywhere, ten times slower."""
BOOT_LIMIT_S = 240.0
QEMU = "qemu-system-x86_64"


def lacking() -> str:
    """Return why there can be no guest; empty where there can."""
    if os.geteuid() != 0:
        return "a guest's disk is made as root"
    for program in (QEMU, *images.PROGRAMS, "ssh"):
        if shutil.which(program) is None:
            return (
                f"there is no {program}; on Debian: apt-get install qemu-system-x86 qemu-utils "
                "mmdebstrap openssh-client e2fsprogs"
            )
    return ""


class GuestFailed(Exception):
    """The guest does not do what it must; says so with the tail of its console."""


@dataclass
class Guest:
    """A machine with a disk of its own, which outlives its reboots and its losses of power."""

    image: images.Image
    home: Path
    port: int
    cpus: int
    nodes: int
    memory_mib: int
    trading: tuple[str, ...]
    """The model of each trading NIC."""
    process: Process = field(init=False)

    address = ADDRESS
    user = USER

    def __post_init__(self) -> None:
        """Lay out its folder: the disk over the image's, the host key that is known, ssh's file."""
        self._disk = self.home / "disk.qcow2"
        self._monitor = self.home / "monitor"
        self.console = self.home / "console.log"
        self.known_hosts = self.home / "known_hosts"
        over = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2"]
        subprocess.run([*over, "-b", str(self.image.disk), str(self._disk)], check=True)
        self.key = self.home / "id"
        shutil.copy(self.image.key, self.key)
        self.key.chmod(0o600)
        host = " ".join(self.image.host_key.split()[:2])
        self.known_hosts.write_text(f"[{ADDRESS}]:{self.port} {host}\n")
        self.inventory = self.home / "inventory.yml"
        self.inventory.write_text(self._inventory())
        self.process = Process(_argv(self), self.home / "qemu.log")
        # A suite that is killed leaves no machine behind.
        self.process.behind("setpriv", "--pdeathsig", "KILL", "--")

    def start(self) -> None:
        """Switch it on and wait until it lets people in.

        Raises `GuestFailed` where QEMU ends or the boot takes too long.
        """
        self._monitor.unlink(missing_ok=True)
        self.process.start()
        self.wait()

    def wait(self, other_than: str = "", limit_s: float = BOOT_LIMIT_S) -> str:
        """Wait until it answers by ssh, in another boot than a named one; return the boot's id.

        Raises `GuestFailed` where QEMU ends or it takes longer than the limit.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if not self.process.alive:
                raise self._failed(f"QEMU ended: {self.process.log()[-600:]}")
            with contextlib.suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
                boot = self.ssh("cat /proc/sys/kernel/random/boot_id", timeout_s=60).strip()
                if boot != other_than:
                    return boot
            time.sleep(0.5)  # nothing tells us: it is another machine
        raise self._failed(f"it was not up after {limit_s:.0f} s")

    def root(self, command: str, timeout_s: float = 120.0) -> str:
        """Run a command of its shell as root; as `ssh`."""
        return self.ssh(f"sudo sh -c {shlex.quote(command)}", timeout_s)

    def nics(self) -> dict[str, str]:
        """Return the names of the NICs that trade: `virtio` and `intel`."""
        told = self.ssh("cd /sys/class/net; for n in e*; do echo $n $(cat $n/address); done")
        by_mac = {mac: name for name, mac in (line.split() for line in told.splitlines())}
        return dict(zip(("virtio", "intel"), (by_mac[mac] for mac in TRADING_MACS), strict=True))

    def ssh(self, command: str, timeout_s: float = 120.0) -> str:
        """Run a command of its shell as `ops`; return what it prints.

        Raises `CalledProcessError` where it exits otherwise than 0.
        """
        argv = ["ssh", *self.ssh_options, f"{USER}@{ADDRESS}", "--", command]
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
        return done.stdout

    @property
    def ssh_options(self) -> tuple[str, ...]:
        """How ssh reaches it: by one connection that stays, with the host key that is known."""
        return (
            *("-F", "none", "-i", str(self.key), "-p", str(self.port)),
            *("-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR"),
            *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=8"),
            *("-o", "ControlMaster=auto", "-o", "ControlPersist=60"),
            *("-o", f"ControlPath={self.home}/ssh"),
        )

    def reboot(self) -> str:
        """Boot it anew, as its own system does; return the id of the new boot."""
        before = self.ssh("cat /proc/sys/kernel/random/boot_id").strip()
        with contextlib.suppress(subprocess.CalledProcessError):
            self.root("systemctl reboot")
        self.hang_up()
        return self.wait(before)

    def kill(self) -> None:
        """Cut its power: what its system had not written yet is lost. `start` boots it again."""
        self.hang_up()
        if self.process.alive:
            with contextlib.suppress(OSError):
                qmp.execute(self._monitor, "quit")
            self.process.stop()

    def switch_off(self, limit_s: float = 120.0) -> None:
        """Have its system end in order, and its disk with all that was written.

        Raises `GuestFailed` where it takes longer than the limit.
        """
        with contextlib.suppress(subprocess.CalledProcessError):
            self.root("systemctl poweroff")
        self.hang_up()
        deadline = time.monotonic() + limit_s
        while self.process.alive:
            if time.monotonic() > deadline:
                raise self._failed(f"it was not off after {limit_s:.0f} s")
            time.sleep(0.2)

    def keep(self, disk: Path) -> images.Image:
        """Keep the disk of a guest that is off: others may begin from it."""
        shutil.copy(self._disk, disk)
        return replace(self.image, disk=disk)

    def hang_up(self) -> None:
        """Give up the connection that stays: the next command makes a new one."""
        argv = ["ssh", *self.ssh_options, "-O", "exit", ADDRESS]
        subprocess.run(argv, capture_output=True, check=False)

    def _inventory(self) -> str:
        pinned = f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes"
        return (
            "all:\n  children:\n    hft:\n      hosts:\n        guest:\n"
            f"          ansible_host: {ADDRESS}\n          ansible_port: {self.port}\n"
            f"          ansible_user: {USER}\n"
            f"          ansible_ssh_private_key_file: {self.key}\n"
            f"          ansible_ssh_common_args: {pinned}\n"
            "          ansible_python_interpreter: /usr/bin/python3\n"
            "          ansible_become: true\n"
            # Under emulation, beside other tests, a new connection may take half a minute.
            "          ansible_ssh_timeout: 90\n"
        )

    def _failed(self, why: str) -> GuestFailed:
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        tail = "\n".join(text.splitlines()[-25:])
        return GuestFailed(f"{why}\nthe end of its console:\n{tail or '(it said nothing)'}")


def _argv(guest: Guest) -> list[str]:
    """Return the machine: CPUs in NUMA nodes, a management NIC, trading NICs of the last node."""
    accelerator = os.environ.get(ACCELERATOR, "tcg")
    translated = accelerator == "tcg"
    argv = [
        *(QEMU, "-nodefaults", "-display", "none", "-machine", "q35"),
        *("-accel", "tcg,thread=multi,tb-size=512" if translated else accelerator),
        *("-cpu", "max" if translated else "host"),
        *("-smp", str(guest.cpus), "-m", str(guest.memory_mib)),
        *("-serial", f"file:{guest.console}"),
        *("-qmp", f"unix:{guest._monitor},server=on,wait=off"),
        # Nothing of the disk outlives the test, and its power is cut by the monitor, which
        # writes what the guest had given to the disk: this machine need not wait for its own.
        *("-drive", f"file={guest._disk},if=none,id=disk,cache=unsafe,discard=unmap"),
        *("-device", "virtio-blk-pci,drive=disk"),
        *("-object", "rng-random,id=random,filename=/dev/urandom"),
        *("-device", "virtio-rng-pci,rng=random"),
        *("-netdev", f"user,id=management,restrict=on,hostfwd=tcp:{ADDRESS}:{guest.port}-:22"),
        *("-device", f"virtio-net-pci,netdev=management,mac={MANAGEMENT_MAC},romfile=,addr=4"),
    ]
    each, rest = divmod(guest.memory_mib, guest.nodes)
    share = guest.cpus // guest.nodes
    for node in range(guest.nodes):
        size = each + (rest if node == 0 else 0)
        first, last = node * share, (node + 1) * share - 1
        argv += ["-object", f"memory-backend-ram,id=m{node},size={size}M"]
        argv += ["-numa", f"node,nodeid={node},memdev=m{node},cpus={first}-{last}"]
    # An expander bus is of a NUMA node, so that the NICs behind it are, as in a real server.
    argv += ["-device", f"pxb-pcie,id=far,bus=pcie.0,bus_nr=128,numa_node={guest.nodes - 1}"]
    for index, (model, mac) in enumerate(zip(guest.trading, TRADING_MACS, strict=True)):
        port = f"pcie-root-port,id=slot{index},bus=far,chassis={index + 1},addr={index}"
        argv += ["-device", port, "-netdev", _backend(guest, index, model)]
        queues = f",mq=on,vectors={2 * guest.cpus + 2}" if model == "virtio-net-pci" else ""
        nic = f"{model},netdev=trade{index},mac={mac},romfile=,bus=slot{index}{queues}"
        argv += ["-device", nic]
    return argv


def _backend(guest: Guest, index: int, model: str) -> str:
    """Return what a trading NIC is plugged into: a tap of its own, which goes with the machine."""
    queues = f",queues={guest.cpus}" if model == "virtio-net-pci" else ""
    name = f"g{guest.port}t{index}"
    return f"tap,id=trade{index},ifname={name},script=no,downscript=no{queues}"


@contextlib.contextmanager
def guest(
    definition: Definition | images.Image = Definition(),  # noqa: B008 - frozen
    *,
    cpus: int = 4,
    nodes: int = 2,
    memory_mib: int = 1536,
    trading: tuple[str, ...] = ("virtio-net-pci", "e1000e"),
) -> Iterator[Guest]:
    """Boot a guest on a disk of its own, over that of a definition or one that was kept.

    At the end it is switched off and its disk thrown away.
    One trading NIC has a queue for each CPU, the other rings, coalescing and flow control.
    Raises `NotMade` where its image cannot be made, `GuestFailed` where it does not boot.
    """
    image = definition if isinstance(definition, images.Image) else images.obtain(definition)
    with folder() as home:
        made = Guest(image, home, free_port(), cpus, nodes, memory_mib, trading)
        try:
            made.start()
            yield made
        finally:
            made.kill()
