"""Host keys: pinned by the inventory, or at first contact; one that changed is refused.

A run has a known_hosts of its own, made of what the inventory says (`opsctl_host_key`) and, for
the others, of what was pinned. SSH's own files play no part: neither the user's nor the system's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from opsctl.deploy.files import write_whole
from opsctl.model.value import Value
from opsctl.provision import places, programs
from opsctl.provision.inventory import BoxHost

SCAN_TIMEOUT_S = 5
SCANS = 16
TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "ssh-rsa")
"""Preferred first."""


class HostKey(Value):
    """The public key of a host, and its fingerprint as `ssh-keygen` prints it."""

    key: str
    """`ssh-ed25519 AAAA…`."""
    fingerprint: str


def known(hosts: Iterable[BoxHost]) -> dict[str, str]:
    """Return the key of each host of which one is known, by its place: the inventory's first."""
    pinned = _pinned()
    found = {}
    for host in hosts:
        key = host.host_key or pinned.get(host.place, "")
        if key:
            found[host.place] = key
    return found


def write(path: Path, keys: Mapping[str, str]) -> None:
    """Write the known_hosts of a run."""
    text = "".join(f"{place} {line}\n" for place, key in keys.items() for line in key.splitlines())
    write_whole(path, text)


def offered(hosts: Iterable[BoxHost]) -> dict[str, HostKey | None]:
    """Ask hosts for their keys, all at once; by place, None where one does not answer."""
    wanted = tuple(hosts)
    with ThreadPoolExecutor(max_workers=SCANS) as pool:
        keys = pool.map(_offered, wanted)
        return {host.place: key for host, key in zip(wanted, keys, strict=True)}


def pin(keys: Mapping[str, HostKey]) -> None:
    """Remember keys as those of their hosts; what is pinned already is left as it is."""
    pinned = _pinned()
    for place, key in keys.items():
        pinned.setdefault(place, key.key)
    write(places.known_hosts(), pinned)


def _pinned() -> dict[str, str]:
    try:
        lines = places.known_hosts().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        place, _, key = line.partition(" ")
        if key:
            found[place] = f"{found[place]}\n{key}" if place in found else key
    return found


def _offered(host: BoxHost) -> HostKey | None:
    argv = [str(programs.openssh("ssh-keyscan")), "-T", str(SCAN_TIMEOUT_S), "-p", str(host.port)]
    try:
        done = subprocess.run(
            [*argv, "--", host.address],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=4 * SCAN_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return None
    keys = [
        line.partition(" ")[2].strip()
        for line in done.stdout.splitlines()
        if line and not line.startswith("#")
    ]
    keys = [key for key in keys if key.split(" ")[0] in TYPES]
    if not keys:
        return None
    best = min(keys, key=lambda key: TYPES.index(key.split(" ")[0]))
    return HostKey(key=best, fingerprint=fingerprint(best))


def fingerprint(key: str) -> str:
    """Return `SHA256:… (ED25519)` of a public key; the key itself where it is none."""
    done = subprocess.run(
        [programs.openssh("ssh-keygen"), "-l", "-f", "-"],
        input=key + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    words = done.stdout.split()
    return f"{words[1]} {words[-1]}" if done.returncode == 0 and len(words) > 2 else key
