"""A fleet of fake boxes: sshd, each in a network, a file system and processes of its own.

All share one read-only tree of Debian 12; what a box writes lies over it, in memory. Its kernel is
this machine's, so what it shows of that is read-only there: nothing that is done to a box touches
this machine's files, users, units or settings. There is no systemd in it: it can be read, and
provisioning refuses it, as it refuses a container; but for a `taken` one, which shows what a
server that boots shows. What such a box takes is what is its own: files, accounts, limits, and the
sysctls of its network.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import yaml

from opsctl.state import images_folder
from tests.support.second_host import key, run
from tests.support.servers import Process, folder, wait_for

PACKAGES = ("ethtool", "iproute2", "nftables", "openssh-server", "procps", "python3", "sudo")
SUITE = "bookworm"
USER = "ops"
PORT = 22
START_S = 60
MADE = "2"
"""Raised with what is made here, so that a tree of before is not used."""

SCRIPT = """\
set -eu
mount -t overlay box -o lowerdir={tree},upperdir={over}/upper,workdir={over}/work {root}
mount -t proc proc {root}/proc
mount -t sysfs -o ro sys {root}/sys
mount -o bind,ro {root}/proc/sys {root}/proc/sys
mount -o bind,ro {root}/proc/irq {root}/proc/irq
mount -t tmpfs -o mode=755,size=1m dev {root}/dev
for one in null zero full random urandom tty; do
  touch {root}/dev/$one; mount -o bind /dev/$one {root}/dev/$one
done
mkdir {root}/dev/pts {root}/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 pts {root}/dev/pts
ln -s pts/ptmx {root}/dev/ptmx
ln -s /proc/self/fd {root}/dev/fd
mount -t tmpfs -o mode=755 run {root}/run
mkdir {root}/run/sshd
{taken}hostname {name}
exec chroot {root} /usr/sbin/sshd -D -e
"""

TAKEN = """\
mkdir -p {root}/run/systemd/system
mount -o bind {root}/proc/sys/net/ipv4/conf {root}/proc/sys/net/ipv4/conf
mount -o remount,bind,rw {root}/proc/sys/net/ipv4/conf
"""
"""Of a box that provisioning takes."""


def lacking() -> str:
    """Return why there can be no fleet; empty where there can."""
    if os.geteuid() != 0:
        return "network and mount namespaces are made by root only"
    for program in ("ip", "nsenter", "unshare", "mmdebstrap", "ssh-keygen", "ssh"):
        if shutil.which(program) is None:
            return f"there is no {program}; on Debian: apt-get install mmdebstrap openssh-client"
    return ""


@dataclass(frozen=True)
class Kind:
    """How a box differs from a good one."""

    sudo: bool = True
    release: str = ""
    """Its /etc/os-release; empty: Debian 12's."""
    taken: bool = False
    """Whether provisioning takes it."""


@dataclass
class FakeBox:
    """One box."""

    name: str
    address: str
    namespace: str
    folder: Path
    host_key: str
    process: Process
    taken: bool = False

    def run(self, *words: str) -> str:
        """Run a command in it as root; return what it prints."""
        inside = f"--target={self._inside}", "--mount", "--uts", "--pid", "--net", "--root"
        return run("nsenter", *inside, *words)

    def show(self, file: Path, at: str) -> None:
        """Have a file or a socket of this machine in it, by another path."""
        place = f"{self.folder}/root{at}"
        inside = f"--target={self._inside}", "--mount"
        run("nsenter", *inside, "sh", "-c", f"touch {place}; mount -o bind {file} {place}")

    def written(self) -> dict[str, bytes]:
        """Return the files that it wrote over the tree."""
        upper = self.folder / "upper"
        files = (path for path in sorted(upper.rglob("*")) if path.is_file())
        return {str(path.relative_to(upper)): path.read_bytes() for path in files}

    @property
    def _inside(self) -> int:
        """The process of its sshd: the child of the one that made its namespaces."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@dataclass
class Fleet:
    """Running boxes, and the key that lets `ops` in."""

    boxes: list[FakeBox]
    home: Path
    variables: dict[str, dict[str, object]] = field(default_factory=dict)
    """Further variables of boxes in the inventory."""

    def inventory(self, tier: str = "weekly", *, keys: bool = True, **more: object) -> Path:
        """Write the inventory, all boxes in one tier; with `keys` it says their host keys."""
        hosts: dict[str, dict[str, object]] = {}
        for box in self.boxes:
            known = {"opsctl_host_key": box.host_key} if keys else {}
            hosts[box.name] = {
                "ansible_host": box.address,
                **known,
                **self.variables.get(box.name, {}),
            }
        variables = {
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self.home / "user"),
            "opsctl_owner": "tests",
            **more,
        }
        path = self.home / "inventory.yml"
        content = {"all": {"vars": variables, "children": {tier: {"hosts": hosts}}}}
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path


@contextlib.contextmanager
def fleet(kinds: Sequence[Kind], addresses: Sequence[IPv4Interface] = ()) -> Iterator[Fleet]:
    """Yield running boxes, one of each kind that is given.

    Their addresses are of one network (one of this process's without a word), whose first address
    is this machine's.
    """
    lower = _tree()
    own = IPv4Network(f"10.219.{os.getpid() % 250}.0/24")
    ends = addresses or [IPv4Interface((own[2 + i], own.prefixlen)) for i in range(len(kinds))]
    network = ends[0].network
    bridge = f"fl{os.getpid()}"
    with folder() as home, contextlib.ExitStack() as undo:
        user = key(home / "user")
        run("ip", "link", "add", bridge, "type", "bridge")
        undo.callback(run, "ip", "link", "delete", bridge)
        run("ip", "addr", "add", f"{network[1]}/{network.prefixlen}", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        memory = home / "memory"
        memory.mkdir()
        run("mount", "-t", "tmpfs", "-o", "mode=755", "fleet", str(memory))
        undo.callback(run, "umount", "--lazy", str(memory))
        boxes = []
        for number, (kind, end) in enumerate(zip(kinds, ends, strict=True), 1):
            box = _made(memory, number, kind, user, str(end.ip))
            _cable(box, end, bridge, number, undo)
            _start(box, lower)
            undo.callback(box.process.kill)
            boxes.append(box)
        for box in boxes:
            wait_for(functools.partial(_listens, box), f"sshd of {box.name}", timeout_s=START_S)
        yield Fleet(boxes, home)


def _listens(box: FakeBox) -> bool:
    assert box.process.alive, box.process.log()
    return "Server listening" in box.process.log()


def _made(memory: Path, number: int, kind: Kind, user: str, address: str) -> FakeBox:
    """Write what makes a box one of its own."""
    name = f"box-{number:02d}"
    place = memory / name
    for part in ("upper", "work", "root"):
        (place / part).mkdir(parents=True)
    upper = place / "upper"
    home = upper / "home" / USER / ".ssh"
    home.mkdir(parents=True)
    (home / "authorized_keys").write_text(f"{user}\n")
    for path in (home.parent, home, home / "authorized_keys"):
        os.chown(path, 1000, 1000)
    (upper / "etc/ssh").mkdir(parents=True)
    host_key = key(upper / "etc/ssh/ssh_host_ed25519_key")
    (upper / "etc/machine-id").write_text(
        hashlib.sha256(f"{os.getpid()} {name}".encode()).hexdigest()[:32] + "\n"
    )
    (upper / "etc/hostname").write_text(f"{name}\n")
    (upper / "etc/hosts").write_text(f"127.0.0.1 localhost {name}\n")
    if kind.release:
        (upper / "etc/os-release").write_text(kind.release)
    if kind.sudo:
        (upper / "etc/sudoers.d").mkdir()
        (upper / "etc/sudoers.d/ops").write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
        (upper / "etc/sudoers.d/ops").chmod(0o440)
    namespace = f"fl{os.getpid()}-{number}"
    argv = ["nsenter", f"--net=/var/run/netns/{namespace}", "unshare", "--mount", "--uts", "--pid"]
    argv += ["--ipc", "--fork", "--kill-child", "sh", str(place / "start.sh")]
    process = Process(argv, place / "log")
    if kind.taken:
        (upper / "boot/grub").mkdir(parents=True)
        (upper / "boot/grub/grub.cfg").write_text("# Its entries\n")
    return FakeBox(name, address, namespace, place, host_key, process, kind.taken)


def _cable(
    box: FakeBox, end: IPv4Interface, bridge: str, number: int, undo: contextlib.ExitStack
) -> None:
    run("ip", "netns", "add", box.namespace)
    undo.callback(run, "ip", "netns", "delete", box.namespace)
    near = f"fl{os.getpid()}x{number}"
    run("ip", "link", "add", near, "type", "veth", "peer", "eth0", "netns", box.namespace)
    run("ip", "link", "set", near, "master", bridge, "up")
    run("ip", "-n", box.namespace, "addr", "add", str(end), "dev", "eth0")
    for link in ("lo", "eth0"):
        run("ip", "-n", box.namespace, "link", "set", link, "up")


def _start(box: FakeBox, lower: Path) -> None:
    root = box.folder / "root"
    taken = TAKEN.format(root=root) if box.taken else ""
    text = SCRIPT.format(tree=lower, over=box.folder, root=root, name=box.name, taken=taken)
    (box.folder / "start.sh").write_text(text)
    box.process.start()


def _tree() -> Path:
    """Return the tree of Debian that boxes share, made where it is not here."""
    words = " ".join((MADE, SUITE, *PACKAGES))
    shelf = images_folder() / "fleets"
    shelf.mkdir(parents=True, exist_ok=True)
    place = shelf / hashlib.sha256(words.encode()).hexdigest()[:16]
    with (shelf / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.is_dir():
            return place
        for half in shelf.glob(".making.*"):
            shutil.rmtree(half)
        making = Path(tempfile.mkdtemp(prefix=".making.", dir=shelf))
        making.chmod(0o755)
        _install(making)
        making.rename(place)
    return place


def _install(tree: Path) -> None:
    """Install Debian into a folder: an account, no host keys, sshd for it alone."""
    hook = (
        'chroot "$1" useradd --create-home --shell /bin/sh --uid 1000 --password "*" ops; '
        'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id'
    )
    done = subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
            f"--include={','.join(PACKAGES)}",
            *("--aptopt=APT::Install-Recommends false", "--dpkgopt=force-unsafe-io"),
            *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"),
            f"--customize-hook={hook}",
            *(SUITE, str(tree)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"no tree for a fleet: {done.stderr[-2000:]}")
    settings = {
        "Port": PORT,
        "HostKey": "/etc/ssh/ssh_host_ed25519_key",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UsePAM": "no",
        "UseDNS": "no",
        "PidFile": "none",
        # Fifty at once, from one address.
        "MaxStartups": "100",
        "Subsystem": "sftp internal-sftp",
    }
    text = "".join(f"{name} {value}\n" for name, value in settings.items())
    (tree / "etc/ssh/sshd_config").write_text(text)
