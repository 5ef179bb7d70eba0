"""Makes the disk of a guest, once for each definition: no loop device, no mount, no network after.

`mmdebstrap` installs the packages into a folder, `mke2fs -d` makes a file system of it in a
partition, and GRUB is put before it by hand. What was made is found again by its digest.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsctl.state import images_folder
from tests.support.guest.definition import (
    CONSOLE,
    DROPPED,
    FILES,
    FRESH,
    INITRAMFS,
    LATER,
    REPOSITORY,
    SUITE,
    Definition,
)

KEPT = 3
"""So many disks stay: the stock kernel's, the RT kernel's, and the one before."""
PARTITION_START = 1 << 20
_NO_CHS = b"\xfe\xff\xff"
PROGRAMS = ("mmdebstrap", "mke2fs", "qemu-img", "ssh-keygen", "dpkg-deb")


class NotMade(Exception):
    """A program that makes the disk failed; says which, with the end of what it said."""


@dataclass(frozen=True)
class Image:
    """A disk that boots, never written to, with the keys that its guests know."""

    disk: Path
    key: Path
    """The private key that lets `ops` in."""
    host_key: str
    """The public key of every guest of it."""


def obtain(definition: Definition) -> Image:
    """Return the disk of a definition, made where it is not here (one or two minutes).

    Raises `NotMade` where a program fails, `OSError` where the disk has no room.
    """
    shelf = images_folder() / "guests"
    shelf.mkdir(parents=True, exist_ok=True)
    place = shelf / definition.digest
    with _locked(shelf / ".lock"):
        if not place.exists():
            for half in shelf.glob(".making.*"):
                shutil.rmtree(half)
            _make(definition, place)
        os.utime(place)  # lately used, so it stays
        disks = sorted(shelf.glob("[0-9a-f]*"), key=lambda one: one.stat().st_mtime)
        for stale in disks[:-KEPT]:
            shutil.rmtree(stale)
    host = (place / "host.pub").read_text("utf-8").strip()
    return Image(place / "disk.qcow2", place / "ops", host)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(definition: Definition, place: Path) -> None:
    with contextlib.ExitStack() as stack:
        whole = Path(tempfile.mkdtemp(prefix=".making.", dir=place.parent))
        stack.callback(shutil.rmtree, whole, ignore_errors=True)
        memory = "/dev/shm" if _roomy(Path("/dev/shm"), 4 << 30) else None
        scratch = Path(tempfile.mkdtemp(prefix="guest-", dir=memory))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        scratch.chmod(0o755)
        for name, comment in (("ops", "ops"), ("host", "guest")):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", whole / name)
        tree, volume = scratch / "tree", str(uuid.uuid4())
        _install(definition, tree, scratch)
        _configure(tree, whole, volume)
        _disk(definition, tree, scratch, volume)
        _run("qemu-img", "convert", "-O", "qcow2", scratch / "disk.raw", whole / "disk.qcow2")
        whole.rename(place)


def _install(definition: Definition, tree: Path, scratch: Path) -> None:
    """Install what a fresh server has, and fetch what may be installed later."""
    early, after = scratch / "early", scratch / "after"
    for name, text in INITRAMFS.items():
        (early / name).parent.mkdir(parents=True, exist_ok=True)
        (early / name).write_text(text)
    # Told where, lest apt look for its lists and its cache in those of this machine.
    after.write_text(
        '#!/bin/sh\nset -eu\nexport APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"\n'
        f"apt-get -qq -y --no-install-recommends --download-only install {' '.join(LATER)}\n"
        f'mkdir -p "$1{REPOSITORY}"\nmv "$1"/var/cache/apt/archives/*.deb "$1{REPOSITORY}/"\n'
    )
    after.chmod(0o755)
    _run(
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
        f"--include={','.join((*FRESH, definition.kernel))}",
        *("--aptopt=APT::Install-Recommends false", "--dpkgopt=force-unsafe-io"),
        *(f"--dpkgopt=path-exclude={name}" for name in DROPPED),
        *(f'--essential-hook=cp -R {early}/. "$1"', f"--customize-hook={after}"),
        *(SUITE, tree),
    )


def _configure(tree: Path, keys: Path, volume: str) -> None:
    """Make it a server with a name, an account, pinned keys and a boot menu."""
    kernel = max((tree / "boot").glob("vmlinuz-*")).name.removeprefix("vmlinuz-")
    menu = (
        "serial --speed=115200\nterminal_input serial\nterminal_output serial\nset timeout=0\n"
        f"menuentry 'Debian {kernel}' {{\n"
        f" linux /boot/vmlinuz-{kernel} root=UUID={volume} ro {CONSOLE} quiet\n"
        f" initrd /boot/initrd.img-{kernel}\n}}\n"
    )
    host = (keys / "host").read_text("utf-8")
    written = {
        **FILES,
        "etc/fstab": f"UUID={volume} / ext4 errors=remount-ro 0 1\n",
        "boot/grub/grub.cfg": menu,
        "etc/ssh/ssh_host_ed25519_key": host,
        "etc/ssh/ssh_host_ed25519_key.pub": (keys / "host.pub").read_text("utf-8"),
        "home/ops/.ssh/authorized_keys": (keys / "ops.pub").read_text("utf-8"),
        "etc/machine-id": "",
        f"{REPOSITORY[1:]}/Packages": _index(tree / REPOSITORY[1:]),
    }
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for name, text in written.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tree / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    (tree / "etc/sudoers.d/ops").chmod(0o440)
    inside = ("chroot", str(tree))
    _run(*inside, "useradd", "--shell", "/bin/bash", "--user-group", "ops")
    _run(*inside, "chown", "-R", "ops:ops", "/home/ops")
    _run(*inside, "chmod", "700", "/home/ops/.ssh")
    _run(*inside, "systemctl", "--quiet", "enable", "systemd-networkd", "ssh")
    # Nothing waits for the network here, and it would hold up the boot for two minutes.
    _run(*inside, "systemctl", "--quiet", "mask", "systemd-networkd-wait-online.service")
    _run(*inside, "apt-get", "-qq", "update")


def _index(folder: Path) -> str:
    """Return the index of a repository of packages, as apt reads it."""
    entries = []
    for path in sorted(folder.glob("*.deb")):
        control = _run("dpkg-deb", "-f", path).strip()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        told = f"Filename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {digest}\n"
        entries.append(f"{control}\n{told}")
    return "\n".join(entries)


def _disk(definition: Definition, tree: Path, scratch: Path, volume: str) -> None:
    """Make the disk: a boot record, GRUB's core in the gap after it, one partition."""
    modules, grub = tree / "usr/lib/grub/i386-pc", tree / "boot/grub/i386-pc"
    grub.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.mod", "*.lst"):
        for path in modules.glob(pattern):
            shutil.copy(path, grub)
    _run(
        *("chroot", str(tree), "grub-mkimage", "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub"),
        *("-o", "/boot/grub/i386-pc/core.img", "biosdisk", "part_msdos", "ext2", "normal"),
        "serial",
    )
    raw = scratch / "disk.raw"
    with raw.open("wb") as out:
        out.truncate(definition.disk_bytes)
    # Its metadata without a checksum: GRUB 2.06 cannot read the other kind's newer features.
    _run(
        *("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum", "-L", "root", "-U", volume),
        *("-E", f"offset={PARTITION_START}", "-d", tree, raw),
        f"{(definition.disk_bytes - PARTITION_START) // 1024}k",
    )
    with raw.open("r+b") as out:
        out.write((modules / "boot.img").read_bytes()[:440])
        first, sectors = PARTITION_START // 512, (definition.disk_bytes - PARTITION_START) // 512
        # One entry of the table: bootable, of Linux, addressed by sectors alone; the rest empty.
        entry = struct.pack("<B3sB3sII", 0x80, _NO_CHS, 0x83, _NO_CHS, first, sectors)
        out.seek(446)
        out.write(entry + bytes(48) + b"\x55\xaa")
        core = (grub / "core.img").read_bytes()
        if 512 + len(core) > PARTITION_START:
            raise NotMade(f"GRUB's core has {len(core)} bytes: no room before the partition")
        out.seek(512)
        out.write(core)


def _roomy(folder: Path, wanted_bytes: int) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free > wanted_bytes


def _run(*words: str | Path) -> str:
    argv = [str(word) for word in words]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise NotMade(f"{' '.join(argv[:8])} … exited {done.returncode}:\n{said}")
    return done.stdout
